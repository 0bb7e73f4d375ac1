// SPDX-License-Identifier: GPL-2.0-only
/* The module's files, and its way to Latch. */
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "probe.h"

/* Enough for all output at once: a test must not run again for a larger buffer. */
#define OUTPUT_SIZE	(256 * 1024)

unsigned int probe_count = 100;
module_param_named(count, probe_count, uint, 0644);
MODULE_PARM_DESC(count, "how often a test does what it does");

static unsigned int islands;
module_param(islands, uint, 0444);
MODULE_PARM_DESC(islands, "2 MiB blocks to leave free between memory of this module");

static struct dentry *folder;
static struct module *latch_module;

void probe_result(struct seq_file *out, bool good, const char *name, const char *fmt, ...)
{
	va_list args;

	seq_printf(out, "%s %s", good ? "ok" : "not ok", name);
	if (fmt) {
		seq_puts(out, " | ");
		va_start(args, fmt);
		seq_vprintf(out, fmt, args);
		va_end(args);
	}
	seq_putc(out, '\n');
}

/* The kernel does not export this: but the list of modules goes through all. */
static struct module *find_latch(void)
{
	struct list_head *entry;

	/* One of the entries is the list's head, a word of the kernel's data. */
	list_for_each(entry, &THIS_MODULE->list)
		if (!strncmp(list_entry(entry, struct module, list)->name, "latch", MODULE_NAME_LEN))
			return list_entry(entry, struct module, list);
	return NULL;
}

static struct latch *find_struct(struct module *mod)
{
	struct mod_kallsyms *symbols = rcu_dereference_raw(mod->kallsyms);
	unsigned int i;

	for (i = 0; i < symbols->num_symtab; i++)
		if (!strcmp(symbols->strtab + symbols->symtab[i].st_name, "latch"))
			return (struct latch *)symbols->symtab[i].st_value;
	return NULL;
}

/**
 * probe_latch_get - find Latch's own state, and keep it loaded
 *
 * Only the tests load and unload modules, so the list is stable. Return: NULL
 * when Latch is not there.
 */
struct latch *probe_latch_get(void)
{
	struct module *mod = find_latch();
	struct latch *latch;

	if (!mod || !try_module_get(mod))
		return NULL;
	latch = find_struct(mod);
	if (!latch) {
		module_put(mod);
		return NULL;
	}
	latch_module = mod;
	return latch;
}

/** probe_latch_put - it may be unloaded again */
void probe_latch_put(void)
{
	module_put(latch_module);
}

/** probe_stat - a counter of a CPU, from public memory */
u64 probe_stat(struct latch *latch, unsigned int cpu, unsigned int stat)
{
	struct latch_cpu_page *page = latch->public + LATCH_LOG_BYTES + cpu * PAGE_SIZE;

	return READ_ONCE(page->stats.count[stat]);
}

static const struct {
	const char *name;
	probe_show *show;
} files[] = {
	{ "registers", probe_registers_show },
	{ "changes", probe_changes_show },
	{ "hidden", probe_hidden_show },
	{ "vmcall", probe_vmcall_show },
	{ "nmi", probe_nmi_show },
	{ "quiesce", probe_quiesce_show },
	{ "pal", probe_pal_show },
	{ "guard", probe_guard_show },
	{ "fuzz", probe_fuzz_show },
	{ "hypapps", probe_hypapps_show },
};

static int file_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, (probe_show *)inode->i_private, NULL, OUTPUT_SIZE);
}

static const struct file_operations file_fops = {
	.owner = THIS_MODULE,
	.open = file_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static ssize_t control_write(struct file *file, const char __user *text, size_t size, loff_t *off)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} words[] = {
		{ "save", probe_registers_save },
		{ "dirty", probe_registers_dirty },
		{ "claim-nmis", probe_nmi_claim },
		{ "release-nmis", probe_nmi_release },
		{ "clean", probe_registers_clean },
	};
	char word[16] = "";
	unsigned int i;
	int ret;

	if (size >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, text, size))
		return -EFAULT;
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(strim(word), words[i].name))
			continue;
		ret = words[i].run();
		return ret ? ret : size;
	}
	return -EINVAL;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = control_write,
};

static int __init probe_init(void)
{
	unsigned int i;
	int ret = probe_islands_init(islands);

	if (!ret)
		ret = probe_hidden_mmap_init();
	if (ret) {
		probe_islands_exit();
		return ret;
	}
	folder = debugfs_create_dir("latch_probe", NULL);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		debugfs_create_file(files[i].name, 0400, folder, files[i].show, &file_fops);
	debugfs_create_file("control", 0200, folder, NULL, &control_fops);
	return 0;
}

static void __exit probe_exit(void)
{
	debugfs_remove_recursive(folder);
	probe_hidden_mmap_exit();
	probe_nmi_exit();
	probe_registers_exit();
	probe_islands_exit();
}

module_init(probe_init);
module_exit(probe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tests of Latch from inside the kernel");
