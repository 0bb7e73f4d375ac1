/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hvctl: what its files share.
 */
#ifndef HVCTL_H
#define HVCTL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/latch.h>
#include <linux/latch_guard.h>
#include <linux/latch_pal.h>
#include <linux/latch_watch.h>

struct json_object;

#ifndef HVCTL_VERSION
#define HVCTL_VERSION "0.1.0"
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* PIDs that Linux can have. */
#define PID_LAST 4194304

/* Exit statuses, as the manual page has them. */
enum hvctl_status {
	HVCTL_OK = 0,
	HVCTL_FAIL = 1,
	HVCTL_USAGE = 2,
	HVCTL_UNKNOWN = 3,
};

/* main.c */

/**
 * struct command - one of hvctl's commands
 * @name: as the user types it
 * @summary: one line for `hvctl --help`
 * @help: text of `hvctl NAME --help`, behind the usage line
 * @synopsis: options, for the usage line
 * @run: does it; argv[0] is "hvctl NAME"; returns an enum hvctl_status
 */
struct command {
	const char *name;
	const char *summary;
	const char *synopsis;
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct command cmd_status, cmd_check, cmd_stats, cmd_log, cmd_ping,
	cmd_app, cmd_pal, cmd_watch, cmd_guard, cmd_version;

/* msg.c */
void msg_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void msg_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void msg_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* opt.c */
#define OPT_COMMON { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }
#define OPT_COMMON_SHORT "jh"

int opt_next(const struct command *cmd, int argc, char **argv, const char *shorts,
	     const struct option *longs);
void opt_no_operands(const struct command *cmd, int argc, char **argv);
void opt_usage_error(const struct command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
void opt_print_help(const struct command *cmd);
uint64_t opt_number(const struct command *cmd, const char *what, const char *text,
		    uint64_t min, uint64_t max);
double opt_seconds(const struct command *cmd, const char *what, const char *text);
bool number_parse(const char *text, uint64_t *val);

/* output.c */
int output_flush(void);
int output_close(void);
bool output_is_terminal(void);
void output_json(struct json_object *obj, bool one_line);
struct json_object *json_new_object(void);
struct json_object *json_new_array(void);
void json_put(struct json_object *obj, const char *key, struct json_object *val);
void json_put_u64(struct json_object *obj, const char *key, uint64_t val);
void json_put_hex(struct json_object *obj, const char *key, uint64_t val);
void json_put_fixed(struct json_object *obj, const char *key, double val, int digits);
void json_put_bool(struct json_object *obj, const char *key, bool val);
void json_put_string(struct json_object *obj, const char *key, const char *val);
void json_append_string(struct json_object *arr, const char *val);
void json_append_u64(struct json_object *arr, uint64_t val);
void json_append(struct json_object *arr, struct json_object *val);
void text_make_printable(char *text);
void text_sanitize(char *dst, size_t size, const char *src, size_t len);

/* cpumask.c */
struct cpumask {
	bool on[LATCH_MAX_CPUS];
};

/* Enough for "0,2,4,...,254". */
#define CPUMASK_TEXT 1024

int cpumask_parse(struct cpumask *mask, const char *text);
void cpumask_format(const struct cpumask *mask, char text[CPUMASK_TEXT]);
unsigned int cpumask_count(const struct cpumask *mask);

/* device.c */
enum device_state {
	DEVICE_OK,
	DEVICE_ABSENT,		/* Latch is not loaded */
	DEVICE_DENIED,		/* it is, and we may not use it */
	DEVICE_MISMATCH,	/* it is, and speaks another ABI version */
	DEVICE_ERROR,
};

/**
 * struct device - /dev/latch
 * @fd: file descriptor, or -1
 * @abi: ABI version of the module; 0 where it is not known
 * @info: what is loaded; only with DEVICE_OK
 * @error: what to tell the user; empty with DEVICE_OK
 */
struct device {
	int fd;
	uint32_t abi;
	struct latch_info info;
	char error[256];
};

enum device_state device_probe(struct device *dev);
int device_open(struct device *dev);
void device_close(struct device *dev);
int device_refresh(struct device *dev);
int device_ioctl(const struct device *dev, unsigned long request, void *arg);
void device_cpus(const struct device *dev, enum latch_cpu_mode mode, struct cpumask *mask);
int device_check_cpus(const struct device *dev, const struct cpumask *mask);
const char *device_hypervisor(const struct device *dev);
void device_version(uint32_t version, char text[16]);

/* names.c */
const char *name_reason(unsigned int reason);
const char *name_stat(unsigned int stat);
void name_lower(const char *name, char *key, size_t size);
void name_key(unsigned int index, char *key, size_t size);

/* cpu.c */

/**
 * struct cpu_facts - what CPUID tells
 * @vendor: vendor string
 * @hypervisor: signature of the hypervisor that runs this system, or ""
 * @long_mode: the CPU has 64-bit mode
 * @vmx: the CPU shows VMX
 * @virtual: runs under a hypervisor
 */
struct cpu_facts {
	char vendor[13];
	char hypervisor[13];
	bool long_mode;
	bool vmx;
	bool virtual;
};

void cpu_read_facts(struct cpu_facts *facts);

/* caps.c */
enum caps_source {
	CAPS_NONE,		/* nothing is known */
	CAPS_MODULE,		/* from the loaded module */
	CAPS_MSR,		/* from the msr driver */
	CAPS_CPUINFO,		/* a part, from /proc/cpuinfo */
};

/* Longest text that is read of /proc/cpuinfo; the first CPU's part is enough. */
#define CPUINFO_TEXT 16384

/**
 * struct caps - the VMX capabilities of the CPU, as far as they can be known
 * @source: where from
 * @raw: the MSRs, with CAPS_MODULE and CAPS_MSR
 * @cpuinfo_vmx: with CAPS_CPUINFO: Linux has found VMX switched on
 * @cpuinfo: with CAPS_CPUINFO: Linux' list of VMX features, words and blanks
 * @error: why the MSRs cannot be read, and what to do
 */
struct caps {
	enum caps_source source;
	struct latch_caps raw;
	bool cpuinfo_vmx;
	char cpuinfo[1024];
	char error[256];
};

int caps_read_module(struct caps *caps, const struct device *dev);
void caps_read_system(struct caps *caps);
bool caps_cpuinfo_has(const struct caps *caps, const char *word);

/* file.c */
ssize_t file_read(const char *path, char *text, size_t size);
char *file_read_all(const char *path);
bool file_exists(const char *path);

/* pause.c */
void pause_catch_signals(void);
bool pause_interrupted(void);
bool pause_seconds(double seconds);
void pause_until_readable(int fd);
double pause_clock(void);

/* reader.c */
#define READER_BATCH	256
#define READER_TEXT	(4 * LATCH_LOG_TEXT + 1)

/**
 * struct log_reader - reads core's log, from a record on
 * @dev: the device
 * @put: is called for each record
 * @data: for @put
 * @json: @put prints JSON
 * @follow: what there is to say is said at once, not at the end
 * @next: sequence number to read next
 * @lost: records that were lost so far
 * @batch: records on their way to @put
 */
struct log_reader {
	const struct device *dev;
	void (*put)(void *data, const struct latch_log_record *rec);
	void *data;
	bool json, follow;
	uint64_t next, lost;
	struct latch_log_record batch[READER_BATCH];
};

int reader_read(struct log_reader *reader);
int reader_skip(struct log_reader *reader);
int reader_follow(struct log_reader *reader, double poll);
void reader_text(const struct latch_log_record *rec, char text[READER_TEXT]);
void reader_print_time(const struct log_reader *reader, const struct latch_log_record *rec);
void reader_put_time(const struct log_reader *reader, const struct latch_log_record *rec,
		     struct json_object *obj);

/* symbols.c */
#define SYMBOL_TEXT 640

/**
 * struct symbol - a line of /proc/kallsyms
 * @address: where it is
 * @name: its name
 * @module: of which module it is, or NULL
 */
struct symbol {
	uint64_t address;
	const char *name, *module;
};

/**
 * struct symbols - the kernel's symbols
 * @text: what the names are in
 * @symbol: by address
 * @count: how many
 * @error: why there are none; empty if there are
 */
struct symbols {
	char *text;
	struct symbol *symbol;
	size_t count;
	char error[192];
};

int symbols_load(struct symbols *symbols);
void symbols_free(struct symbols *symbols);
bool symbols_have(const struct symbols *symbols, const char *name);
int symbols_find(const struct symbols *symbols, const char *name, bool kernel_only,
		 uint64_t *address);
bool symbols_describe(const struct symbols *symbols, uint64_t address, char text[SYMBOL_TEXT]);
bool address_is_kernel(uint64_t address);

/* follow.c */
int follow_watches(const struct device *dev, bool all, bool json);

/* grant.c */
int grant_parse_and_run(char **operands, int count, bool json);

#endif /* HVCTL_H */
