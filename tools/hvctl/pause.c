// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting between two looks, until the user ends it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "hvctl.h"

static const int pause_signals[] = { SIGINT, SIGTERM };

static volatile sig_atomic_t pause_stop;

static void pause_handler(int sig)
{
	(void)sig;
	pause_stop = 1;
}

/**
 * pause_catch_signals() - from now on ^C and SIGTERM end the wait, not hvctl
 *
 * A signal that is ignored stays so (nohup, shells' background jobs). The
 * second one kills: the first may not be seen while the output is stuck.
 */
void pause_catch_signals(void)
{
	struct sigaction act = { .sa_handler = pause_handler };
	struct sigaction old;

	/* ppoll() is never restarted; ioctl() and write() shall be */
	act.sa_flags = (int)(SA_RESETHAND | SA_RESTART);
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(pause_signals); i++) {
		if (!sigaction(pause_signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(pause_signals[i], &act, NULL);
	}
}

/**
 * pause_interrupted() - the user wants to end
 */
bool pause_interrupted(void)
{
	return pause_stop;
}

/* Blocked but in ppoll(): a signal before that must end it, too. */
static void pause_block_signals(sigset_t *old)
{
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_SIZE(pause_signals); i++)
		sigaddset(&block, pause_signals[i]);
	sigprocmask(SIG_BLOCK, &block, old);
}

/**
 * pause_seconds() - wait
 *
 * Return: true where the user wants to end.
 */
bool pause_seconds(double seconds)
{
	double end = pause_clock() + seconds, left;
	sigset_t old;

	pause_block_signals(&old);
	while (!pause_stop && (left = end - pause_clock()) > 0) {
		struct timespec ts;

		ts.tv_sec = (time_t)left;
		ts.tv_nsec = (long)((left - (double)ts.tv_sec) * 1e9);
		/* SIGWINCH, SIGCONT: wait for the rest */
		if (ppoll(NULL, 0, &ts, &old) < 0 && errno != EINTR)
			break;
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pause_stop;
}

/**
 * pause_until_readable() - wait for what a descriptor stands for, or the user
 */
void pause_until_readable(int fd)
{
	struct pollfd poll = { .fd = fd, .events = POLLIN };
	sigset_t old;

	pause_block_signals(&old);
	while (!pause_stop && ppoll(&poll, 1, NULL, &old) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/**
 * pause_clock() - seconds on a clock that is never set
 */
double pause_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}
