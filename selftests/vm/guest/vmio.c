// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmio: the guest's side of the VM test runner
 *
 * Debian's kernels have no /dev/port, so this small static program does the
 * port I/O that the emulators listen to:
 *
 *   0xe9    a byte for the emulator's standard output (Bochs' E9 port, QEMU's
 *           isa-debugcon); there is no baud rate that slows it down
 *   0x8901  ends the emulator (Bochs' test hook, QEMU's isa-debug-exit)
 *   0x8905  gives the bytes of a file that the runner named, 0x8906 its size
 *           (Bochs' test hook): how a machine that was restored from a saved
 *           state gets its test
 *
 * usage: vmio run MARK PROGRAM [ARG...]
 *        vmio send MARK WORD
 *        vmio outb|outw|outl PORT VALUE
 *        vmio inb|inw|inl PORT
 *        vmio payload
 *        vmio stir SEED
 *        vmio boots
 *
 * "run" starts PROGRAM, passes its output on, then sends its exit status and
 * the kernel's log and ends the VM. Everything that is not PROGRAM's output
 * goes in lines "RS MARK WORD [VALUE]"; MARK is chosen by the runner, so that
 * a test cannot send such a line by accident. With VMRUN_DMESG=failure the log
 * is left out after a success.
 *
 * "stir" makes a machine that was restored from a saved state go its own way:
 * new random numbers, and another place between two timer ticks.
 *
 * "boots" prints how often this machine has booted (kept in the CMOS RAM, which
 * a reset does not clear, a new VM does).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_OUTPUT	0xe9
#define PORT_END	0x8901
#define PORT_PAYLOAD	0x8905
#define PORT_SIZE	0x8906
#define RECORD_MARK	'\x1e'

#define RELAY_PAUSE_US	2000

/* primes; at the most some 2 million instructions, which is five timer ticks */
#define STIR_FACTOR	7919
#define STIR_LIMIT	399989

/* Bytes of CMOS RAM that neither a BIOS nor Linux uses, with a check value. */
#define CMOS_INDEX	0x70
#define CMOS_DATA	0x71
#define CMOS_BOOTS	0x7c
#define CMOS_CHECK	0x7d
#define CMOS_CHECK_XOR	0xa5

#define SYSLOG_READ_ALL	3
#define SYSLOG_SIZE	10

static void vmio_die(const char *what)
{
	fprintf(stderr, "vmio: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void ports_open(void)
{
	if (iopl(3))
		vmio_die("iopl (is this a VM, and are you root?)");
}

/*
 * Byte by byte: KVM sends each byte of a string instruction to user space on
 * its own as well, and emulates the instruction on top of that.
 */
static void output_write(const char *buf, size_t len)
{
	while (len--)
		outb(*buf++, PORT_OUTPUT);
}

static void __attribute__((format(printf, 1, 2))) output_printf(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	output_write(line, len);
}

static void record_send(const char *mark, const char *word)
{
	output_printf("%c%s %s\n", RECORD_MARK, mark, word);
}

static void kernel_log_send(const char *mark)
{
	int size = klogctl(SYSLOG_SIZE, NULL, 0);
	char *log;

	if (size <= 0)
		return;
	log = malloc(size);
	if (!log)
		return;
	size = klogctl(SYSLOG_READ_ALL, log, size);
	record_send(mark, "dmesg");
	if (size > 0)
		output_write(log, size);
	free(log);
}

/* Pass on what is in the pipe; false when it has ended. */
static int relay_once(int fd)
{
	char buf[65536];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		output_write(buf, n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static pid_t program_start(char **argv, int *output)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		vmio_die("pipe");
	pid = fork();
	if (pid < 0)
		vmio_die("fork");
	if (!pid) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], argv);
		fprintf(stderr, "vmio: %s: %s\n", argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(fds[1]);
	*output = fds[0];
	return pid;
}

/* A descriptor that is readable when a child has ended. */
static int children_watch(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		vmio_die("signalfd");
	return fd;
}

/*
 * Collect ended children, true when PID is among them. As process 1 this
 * program also gets the orphans; a test may wait for one to disappear.
 */
static int children_reap(int fd, pid_t pid, int *status)
{
	struct signalfd_siginfo info;
	int found = 0, s;
	pid_t child;

	if (read(fd, &info, sizeof(info)) < 0 && errno != EINTR)
		vmio_die("signalfd");
	while ((child = waitpid(-1, &s, WNOHANG)) > 0) {
		if (child == pid) {
			*status = s;
			found = 1;
		}
	}
	return found;
}

/*
 * The program's end is what counts, not that of the pipe: a daemon that it
 * left behind may hold the pipe open for ever.
 */
static int program_wait(pid_t pid, int output, int children)
{
	struct pollfd p[2] = {
		{ .fd = output, .events = POLLIN },
		{ .fd = children, .events = POLLIN },
	};
	int status, ended = 0;

	while (!ended) {
		if (poll(p, 2, -1) < 0) {
			if (errno != EINTR)
				vmio_die("poll");
			continue;
		}
		if (p[0].revents) {
			if (!relay_once(output))
				p[0].fd = -1;
			/*
			 * A program that writes byte by byte (QEMU in the
			 * outer VM does) would else be preempted at each one.
			 */
			usleep(RELAY_PAUSE_US);
		}
		if (p[1].revents)
			ended = children_reap(children, pid, &status);
	}
	p[0].fd = output;
	while (poll(p, 1, 0) > 0 && relay_once(output))
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int command_run(int argc, char **argv)
{
	const char *when = getenv("VMRUN_DMESG");
	const char *mark;
	int output, status, children;
	pid_t pid;

	if (argc < 2)
		return 2;
	mark = argv[0];
	ports_open();
	children = children_watch();
	record_send(mark, "begin");
	pid = program_start(argv + 1, &output);
	status = program_wait(pid, output, children);
	output_printf("%c%s status %d\n", RECORD_MARK, mark, status);
	if (status || !when || strcmp(when, "failure"))
		kernel_log_send(mark);
	record_send(mark, "end");
	outb(status, PORT_END);
	/* no emulator that listens to the port: power off the normal way */
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			buf += n;
			len -= n;
		}
	}
	return 0;
}

static int command_payload(void)
{
	static char buf[65536];
	uint32_t left;

	ports_open();
	left = inl(PORT_SIZE);
	while (left) {
		uint32_t len = left < sizeof(buf) ? left : sizeof(buf);

		insl(PORT_PAYLOAD, buf, (len + 3) / 4);
		if (write_all(STDOUT_FILENO, buf, len))
			vmio_die("payload");
		left -= len;
	}
	return 0;
}

static int number_parse(const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || *value > max) {
		fprintf(stderr, "vmio: %s is no number from 0 to %#lx\n", text, max);
		return -1;
	}
	return 0;
}

static int command_stir(const char *text)
{
	unsigned long seed;
	volatile unsigned long i;
	int fd;

	if (number_parse(text, UINT32_MAX, &seed))
		return 2;
	fd = open("/dev/urandom", O_WRONLY);
	if (fd < 0 || write_all(fd, (const char *)&seed, sizeof(seed)) ||
	    ioctl(fd, RNDRESEEDCRNG))
		vmio_die("/dev/urandom");
	close(fd);
	for (i = seed * STIR_FACTOR % STIR_LIMIT; i; i--)
		;
	return 0;
}

static uint8_t cmos_read(uint8_t index)
{
	outb(index, CMOS_INDEX);
	return inb(CMOS_DATA);
}

static void cmos_write(uint8_t index, uint8_t value)
{
	outb(index, CMOS_INDEX);
	outb(value, CMOS_DATA);
}

static int command_boots(void)
{
	uint8_t boots;

	ports_open();
	boots = cmos_read(CMOS_BOOTS);
	if (cmos_read(CMOS_CHECK) != (boots ^ CMOS_CHECK_XOR))
		boots = 0;
	boots++;
	cmos_write(CMOS_BOOTS, boots);
	cmos_write(CMOS_CHECK, boots ^ CMOS_CHECK_XOR);
	printf("%u\n", boots);
	return 0;
}

static int command_out(const char *name, char **argv)
{
	unsigned long max = name[3] == 'b' ? 0xff : name[3] == 'w' ? 0xffff : 0xffffffff;
	unsigned long port, value;

	if (number_parse(argv[0], 0xffff, &port) || number_parse(argv[1], max, &value))
		return 2;
	ports_open();
	switch (name[3]) {
	case 'b':
		outb(value, port);
		break;
	case 'w':
		outw(value, port);
		break;
	default:
		outl(value, port);
	}
	return 0;
}

static int command_in(const char *name, char **argv)
{
	unsigned long port;

	if (number_parse(argv[0], 0xffff, &port))
		return 2;
	ports_open();
	switch (name[2]) {
	case 'b':
		printf("0x%02x\n", inb(port));
		break;
	case 'w':
		printf("0x%04x\n", inw(port));
		break;
	default:
		printf("0x%08x\n", inl(port));
	}
	return 0;
}

static int is_one_of(const char *name, const char *a, const char *b, const char *c)
{
	return !strcmp(name, a) || !strcmp(name, b) || !strcmp(name, c);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int ret = 2;

	if (!strcmp(name, "run")) {
		ret = command_run(argc - 2, argv + 2);
	} else if (!strcmp(name, "send") && argc == 4) {
		ports_open();
		record_send(argv[2], argv[3]);
		ret = 0;
	} else if (!strcmp(name, "payload") && argc == 2) {
		ret = command_payload();
	} else if (!strcmp(name, "stir") && argc == 3) {
		ret = command_stir(argv[2]);
	} else if (!strcmp(name, "boots") && argc == 2) {
		ret = command_boots();
	} else if (is_one_of(name, "outb", "outw", "outl") && argc == 4) {
		ret = command_out(name, argv + 2);
	} else if (is_one_of(name, "inb", "inw", "inl") && argc == 3) {
		ret = command_in(name, argv + 2);
	} else {
		fprintf(stderr, "usage: vmio run MARK PROGRAM [ARG...] | send MARK WORD |\n"
				"       outb|outw|outl PORT VALUE | inb|inw|inl PORT |\n"
				"       payload | stir SEED | boots\n");
	}
	return ret;
}
