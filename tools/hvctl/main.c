// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl: the command of Latch.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hvctl.h"

static const struct command *const commands[] = {
	&cmd_status, &cmd_check, &cmd_stats, &cmd_log, &cmd_ping, &cmd_app, &cmd_pal, &cmd_watch,
	&cmd_guard, &cmd_version,
};

static void main_print_help(FILE *out)
{
	fprintf(out, "Usage: hvctl COMMAND [OPTION]...\n\n"
		"Watch and check Latch, the late-launch hypervisor.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\n  --help, --version\n\n"
		"`hvctl COMMAND --help' tells more; each command has --json.\n");
}

static const struct command *main_find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	}
	return NULL;
}

static int main_usage(void)
{
	fprintf(stderr, "Try `hvctl --help'.\n");
	return HVCTL_USAGE;
}

static int main_run_command(int argc, char **argv)
{
	const struct command *cmd = main_find_command(argv[0]);
	char name[32];

	if (!cmd) {
		msg_error("unknown command '%s'", argv[0]);
		return main_usage();
	}
	/* the name that getopt's messages begin with */
	snprintf(name, sizeof(name), "hvctl %s", cmd->name);
	argv[0] = name;
	return cmd->run(argc, argv);
}

/* `hvctl help [COMMAND]` */
static int main_help(int argc, char **argv)
{
	const struct command *cmd;

	if (argc < 2) {
		main_print_help(stdout);
		return HVCTL_OK;
	}
	cmd = main_find_command(argv[1]);
	if (!cmd || argc > 2) {
		msg_error("unknown command '%s'", argv[cmd ? 2 : 1]);
		return main_usage();
	}
	opt_print_help(cmd);
	return HVCTL_OK;
}

static int main_dispatch(int argc, char **argv)
{
	const char *word = argv[1];

	if (argc < 2) {
		main_print_help(stderr);
		return HVCTL_USAGE;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"))
		return main_help(argc - 1, argv + 1);
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		printf("hvctl %s\n", HVCTL_VERSION);
		return HVCTL_OK;
	}
	if (word[0] == '-') {
		msg_error("unknown option '%s'; options come after the command", word);
		return main_usage();
	}
	return main_run_command(argc - 1, argv + 1);
}

/*
 * With a standard descriptor closed, /dev/latch would get its number and the
 * output would go there. A descriptor opened the wrong way round gives errors.
 */
static void main_fill_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			_exit(HVCTL_FAIL);
	}
}

int main(int argc, char **argv)
{
	int status, written;

	main_fill_descriptors();
	/* a closed pipe is an error of write(), with a message and a status */
	signal(SIGPIPE, SIG_IGN);
	status = main_dispatch(argc, argv);
	written = output_close();
	return status == HVCTL_OK ? written : status;
}
