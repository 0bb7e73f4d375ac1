// SPDX-License-Identifier: GPL-2.0-only
/*
 * hello once|loop: be greeted by the hypapp of that name, through libhv. Once: the
 * exit status is the errno. In a loop until SIGTERM: while the hypapp is off is no error.
 */
#include <errno.h>
#include <hv.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t stop;

static void on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

static long greet(int hv, uint64_t *count)
{
	char text[32] = "";
	long len = hv_hello(hv, text, sizeof(text), count);

	if (len < 0)
		return len;
	return len == (long)sizeof("hello from core\n") && !strcmp(text, "hello from core\n") ? 0 : -EIO;
}

static long loop(int hv)
{
	unsigned long greeted = 0, refused = 0;
	uint64_t count;
	long ret;

	signal(SIGTERM, on_stop);
	while (!stop) {
		ret = greet(hv, &count);
		if (ret && ret != -ENOSYS)
			return ret;
		if (ret)
			refused++;
		else
			greeted++;
	}
	printf("%lu times greeted, %lu times off\n", greeted, refused);
	return greeted && refused ? 0 : -EIO;
}

int main(int argc, char **argv)
{
	struct hv_version version;
	int hv = hv_open();
	uint64_t count = 0;
	long ret;

	if (hv < 0) {
		fprintf(stderr, "hello: %s\n", hv == -ENODEV ? "Latch is not loaded" : strerror(-hv));
		return -hv;
	}
	if (hv_version(hv, &version) || hv_ping(hv, 0x1234567890ull, NULL))
		return 1;
	if (argc > 1 && !strcmp(argv[1], "loop"))
		return (int)-loop(hv);
	ret = greet(hv, &count);
	printf("%s, %llu greetings\n", ret ? strerror((int)-ret) : "hello",
	       (unsigned long long)count);
	if (!ret && (hv_hello(hv, NULL, 0, NULL) != -EINVAL ||
		     hv_call(-1, 0, NULL, NULL, NULL) != -EBADF))
		ret = -EIO;
	hv_close(hv);
	return (int)-ret;
}
