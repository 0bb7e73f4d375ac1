// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl check: can Latch be loaded here?
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <json-c/json.h>

#include <latch/features.h>

#include "hvctl.h"

#define FC_LOCKED	(1ull << 0)
#define FC_VMX		(1ull << 2)
#define BASIC_TRUE	(1ull << 55)

enum check_state { CHECK_MISSING, CHECK_YES, CHECK_UNKNOWN };

/* What is looked at beside LATCH_FEATURES; in front of them in struct check. */
enum check_extra {
	CHECK_LONG_MODE,
	CHECK_VMX,
	CHECK_FC_LOCKED,
	CHECK_FC_VMX,
	CHECK_FREE,
	CHECK_TRUE_CONTROLS,
	CHECK_NR_EXTRA
};

#define CHECK_NR_ITEMS (CHECK_NR_EXTRA + LATCH_NR_FEATURES)

/**
 * struct check_item - one line of the report
 */
struct check_item {
	const char *key, *name, *what;
	bool need;
	enum check_state state;
};

#define CHECK_MAX_NOTES 8

/* Reasons and warnings */
struct check_notes {
	unsigned int count;
	char text[CHECK_MAX_NOTES][1024];
};

enum check_verdict { VERDICT_LOADED, VERDICT_CAN, VERDICT_CANNOT, VERDICT_UNKNOWN };

struct check {
	struct cpu_facts cpu;
	struct caps caps;
	bool loaded;
	struct check_item item[CHECK_NR_ITEMS];
	struct check_notes reasons, warnings;
	enum check_verdict verdict;
};

/* Modules that put the CPU into VMX operation themselves. */
static const char *const vmx_users[] = { "kvm_intel", "vboxdrv", "vmmon", "jailhouse" };

static void check_note(struct check_notes *notes, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void check_note(struct check_notes *notes, const char *fmt, ...)
{
	va_list ap;

	if (notes->count == CHECK_MAX_NOTES)
		return;
	va_start(ap, fmt);
	vsnprintf(notes->text[notes->count++], sizeof(notes->text[0]), fmt, ap);
	va_end(ap);
}

static void check_name_items(struct check *c)
{
	static const struct check_item items[CHECK_NR_ITEMS] = {
		[CHECK_LONG_MODE] = { "long_mode", "64-bit", "Latch is for 64-bit Linux", true, 0 },
		[CHECK_VMX] = { "vmx", "VMX", "VMX operation, in CPUID", true, 0 },
		[CHECK_FC_LOCKED] = { "feature_control_locked", "feature control locked",
				      "VMXON faults without it", true, 0 },
		[CHECK_FC_VMX] = { "feature_control_vmx", "feature control: VMX",
				   "VMX switched on by the firmware", true, 0 },
		[CHECK_FREE] = { "vmx_free", "VMX is free", "only one can use VMX at a time",
				 true, 0 },
		[CHECK_TRUE_CONTROLS] = { "true_controls", "true controls",
					  "CR3 loads without an exit", true, 0 },
#define CHECK_KEY(id, index, bit, need, name, what) \
		[CHECK_NR_EXTRA + LATCH_FEATURE_##id] = { #id, name, what, need, 0 },
		LATCH_FEATURES(CHECK_KEY)
	};

	memcpy(c->item, items, sizeof(items));
}

static enum check_state check_bool(bool yes)
{
	return yes ? CHECK_YES : CHECK_MISSING;
}

static bool check_has_msrs(const struct check *c)
{
	return c->caps.source == CAPS_MODULE || c->caps.source == CAPS_MSR;
}

static enum check_state check_long_mode(const struct check *c)
{
	struct utsname uts;

	if (!c->cpu.long_mode)
		return CHECK_MISSING;
	/* A 64-bit hvctl runs on a 64-bit kernel only. */
	if (sizeof(void *) == 8 || uname(&uts))
		return CHECK_YES;
	return check_bool(!strcmp(uts.machine, "x86_64"));
}

static enum check_state check_vmx(const struct check *c)
{
	if (c->caps.source == CAPS_MODULE)
		return check_bool(c->caps.raw.vmx[0]);
	/* While Latch is loaded it hides VMX. */
	return c->loaded ? CHECK_UNKNOWN : check_bool(c->cpu.vmx);
}

static enum check_state check_feature_control(const struct check *c, uint64_t bit)
{
	if (check_has_msrs(c))
		return check_bool(c->caps.raw.feature_control & bit);
	if (!c->loaded && !c->cpu.vmx)
		return CHECK_MISSING;
	if (c->caps.source != CAPS_CPUINFO)
		return CHECK_UNKNOWN;
	/* Linux takes "vmx" out of its flags unless both bits are set. */
	if (c->caps.cpuinfo_vmx)
		return CHECK_YES;
	return bit == FC_VMX ? CHECK_MISSING : CHECK_UNKNOWN;
}

static enum check_state check_true_controls(const struct check *c)
{
	if (check_has_msrs(c))
		return check_bool(c->caps.raw.vmx[0] & BASIC_TRUE);
	return !c->loaded && !c->cpu.vmx ? CHECK_MISSING : CHECK_UNKNOWN;
}

/*
 * The state of another user of VMX can only be seen in CR4, which programs
 * cannot read; so look at what would set CR4.VMXE.
 */
static enum check_state check_vmx_user(struct check *c, const char *name)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (!file_exists(path))
		return CHECK_YES;
	/* Since Linux 6.12 KVM switches VMX on when its module is loaded. */
	if (!strcmp(name, "kvm_intel") &&
	    file_read("/sys/module/kvm/parameters/enable_virt_at_load", text, sizeof(text)) > 0 &&
	    text[0] == 'Y') {
		check_note(&c->reasons,
			   "VMX is in use by kvm_intel; stop its VMs and unload it "
			   "(modprobe -r kvm_intel)");
		return CHECK_MISSING;
	}
	check_note(&c->warnings,
		   "%s is loaded; while it runs a VM Latch cannot be loaded, and while Latch is "
		   "loaded it cannot run one (modprobe -r %s)", name, name);
	return CHECK_UNKNOWN;
}

static enum check_state check_free(struct check *c)
{
	enum check_state state = CHECK_YES;

	if (c->loaded)
		return CHECK_YES;
	for (size_t i = 0; i < ARRAY_SIZE(vmx_users); i++) {
		enum check_state one = check_vmx_user(c, vmx_users[i]);

		if (one == CHECK_MISSING || (one == CHECK_UNKNOWN && state == CHECK_YES))
			state = one;
	}
	return state;
}

/* What Linux shows of LATCH_FEATURES in the line "vmx flags" of /proc/cpuinfo. */
static const char *check_cpuinfo_word(enum latch_feature feature)
{
	switch (feature) {
	case LATCH_FEATURE_MTF: return "mtf";
	case LATCH_FEATURE_EPT: return "ept";
	case LATCH_FEATURE_VPID: return "vpid";
	case LATCH_FEATURE_UNRESTRICTED: return "unrestricted_guest";
	case LATCH_FEATURE_EPT_1G: return "ept_1gb";
	case LATCH_FEATURE_EPT_XONLY: return "ept_x_only";
	case LATCH_FEATURE_EPT_AD: return "ept_ad";
	case LATCH_FEATURE_SHADOW_VMCS: return "shadow_vmcs";
	case LATCH_FEATURE_PML: return "pml";
	case LATCH_FEATURE_MBEC: return "ept_mode_based_exec";
	case LATCH_FEATURE_TSC_SCALING: return "tsc_scaling";
	default: return NULL;
	}
}

static enum check_state check_feature(const struct check *c, enum latch_feature feature,
				      unsigned int index, unsigned int bit)
{
	const char *word;

	if (check_has_msrs(c))
		return check_bool(c->caps.raw.vmx[index] >> bit & 1);
	if (!c->loaded && !c->cpu.vmx)
		return CHECK_MISSING;
	word = check_cpuinfo_word(feature);
	if (c->caps.source != CAPS_CPUINFO || !c->caps.cpuinfo_vmx || !word)
		return CHECK_UNKNOWN;
	return check_bool(caps_cpuinfo_has(&c->caps, word));
}

static void check_fill_items(struct check *c)
{
	struct check_item *feature = c->item + CHECK_NR_EXTRA;

	c->item[CHECK_LONG_MODE].state = check_long_mode(c);
	c->item[CHECK_VMX].state = check_vmx(c);
	c->item[CHECK_FC_LOCKED].state = check_feature_control(c, FC_LOCKED);
	c->item[CHECK_FC_VMX].state = check_feature_control(c, FC_VMX);
	c->item[CHECK_FREE].state = check_free(c);
	c->item[CHECK_TRUE_CONTROLS].state = check_true_controls(c);
#define CHECK_STATE(id, index, bit, need, name, what) \
	feature[LATCH_FEATURE_##id].state = check_feature(c, LATCH_FEATURE_##id, index, bit);
	LATCH_FEATURES(CHECK_STATE)
}

static void check_explain_no_vmx(struct check *c)
{
	if (c->cpu.virtual)
		check_note(&c->reasons,
			   "this virtual machine's CPU has no VMX; switch on nested virtualization "
			   "in the outer hypervisor (KVM on Intel: modprobe kvm_intel nested=1, "
			   "and give the VM the CPU model host)");
	else
		check_note(&c->reasons,
			   "the CPU (%s) has no VMX; Latch needs an Intel CPU with VT-x",
			   c->cpu.vendor[0] ? c->cpu.vendor : "unknown vendor");
}

static void check_explain_feature_control(struct check *c)
{
	if (c->item[CHECK_FC_VMX].state == CHECK_MISSING &&
	    c->item[CHECK_FC_LOCKED].state != CHECK_MISSING)
		check_note(&c->reasons,
			   "VMX is switched off by the firmware; enable VT-x (\"Intel "
			   "Virtualization Technology\") in its set-up");
	else if (c->item[CHECK_FC_LOCKED].state == CHECK_MISSING)
		check_note(&c->reasons,
			   "the firmware left IA32_FEATURE_CONTROL unlocked and the kernel did not "
			   "lock it; enable VT-x in the firmware's set-up");
}

static void check_explain_features(struct check *c)
{
	char list[768] = "";
	size_t n = 0;

	for (unsigned int i = CHECK_TRUE_CONTROLS; i < CHECK_NR_ITEMS; i++) {
		if (c->item[i].need && c->item[i].state == CHECK_MISSING && n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
					      n ? ", " : "", c->item[i].name);
	}
	if (n)
		check_note(&c->reasons, "the CPU lacks what Latch needs: %s%s", list,
			   c->cpu.virtual ? "; the outer hypervisor may be hiding it" : "");
}

/* Reasons in the order in which they matter: without VMX the rest is noise. */
static void check_explain(struct check *c)
{
	if (c->item[CHECK_LONG_MODE].state == CHECK_MISSING)
		check_note(&c->reasons, "this is not a 64-bit system; Latch needs one");
	if (c->item[CHECK_VMX].state == CHECK_MISSING) {
		check_explain_no_vmx(c);
		return;
	}
	check_explain_feature_control(c);
	check_explain_features(c);
}

static bool check_any(const struct check *c, enum check_state state)
{
	for (unsigned int i = 0; i < CHECK_NR_ITEMS; i++) {
		/* Whether VMX is free is known only by trying: there is a warning. */
		if (i == CHECK_FREE && state == CHECK_UNKNOWN)
			continue;
		if (c->item[i].need && c->item[i].state == state)
			return true;
	}
	return false;
}

static void check_decide(struct check *c)
{
	if (c->loaded) {
		c->verdict = VERDICT_LOADED;
		if (c->caps.error[0])
			check_note(&c->warnings, "the CPU's features are unknown: %s",
				   c->caps.error);
		return;
	}
	check_explain(c);
	if (check_any(c, CHECK_MISSING)) {
		c->verdict = VERDICT_CANNOT;
	} else if (check_any(c, CHECK_UNKNOWN)) {
		c->verdict = VERDICT_UNKNOWN;
		check_note(&c->reasons, "%s", c->caps.error);
	} else {
		c->verdict = VERDICT_CAN;
	}
}

/* Where the facts come from depends on whether Latch is loaded. */
static int check_collect(struct check *c)
{
	struct device dev;

	cpu_read_facts(&c->cpu);
	switch (device_probe(&dev)) {
	case DEVICE_OK:
		c->loaded = true;
		caps_read_module(&c->caps, &dev);
		snprintf(c->cpu.hypervisor, sizeof(c->cpu.hypervisor), "%.12s",
			 dev.info.hypervisor);
		c->cpu.virtual = device_hypervisor(&dev);
		device_close(&dev);
		break;
	case DEVICE_DENIED:
		c->loaded = true;
		snprintf(c->caps.error, sizeof(c->caps.error), "%s", dev.error);
		break;
	case DEVICE_ABSENT:
		if (c->cpu.vmx)
			caps_read_system(&c->caps);
		break;
	default:
		msg_error("%s", dev.error);
		return -1;
	}
	return 0;
}

static const char *check_state_name(enum check_state state)
{
	static const char *const names[] = {
		[CHECK_MISSING] = "missing", [CHECK_YES] = "yes", [CHECK_UNKNOWN] = "unknown",
	};

	return names[state];
}

static const char *check_source_name(enum caps_source source)
{
	static const char *const names[] = {
		[CAPS_NONE] = "cpuid", [CAPS_MODULE] = "module", [CAPS_MSR] = "msr",
		[CAPS_CPUINFO] = "cpuinfo",
	};

	return names[source];
}

static void check_print_text(const struct check *c)
{
	static const char *const verdicts[] = {
		[VERDICT_LOADED] = "Latch is loaded",
		[VERDICT_CAN] = "Latch can be loaded",
		[VERDICT_CANNOT] = "Latch cannot be loaded: ",
		[VERDICT_UNKNOWN] = "Latch may or may not be loadable: ",
	};

	printf("%-8s  %-8s  %-22s  %s\n", "STATE", "NEED", "FEATURE", "WHAT FOR");
	for (unsigned int i = 0; i < CHECK_NR_ITEMS; i++)
		printf("%-8s  %-8s  %-22s  %s\n", check_state_name(c->item[i].state),
		       c->item[i].need ? "needed" : "optional", c->item[i].name,
		       c->item[i].what);
	putchar('\n');
	for (unsigned int i = 0; i < c->warnings.count; i++)
		printf("Warning: %s\n", c->warnings.text[i]);
	printf("%s%s\n", verdicts[c->verdict], c->reasons.count ? c->reasons.text[0] : "");
	for (unsigned int i = 1; i < c->reasons.count; i++)
		printf("  also: %s\n", c->reasons.text[i]);
}

static void check_put_notes(struct json_object *obj, const char *key,
			    const struct check_notes *notes)
{
	struct json_object *arr = json_new_array();

	for (unsigned int i = 0; i < notes->count; i++)
		json_append_string(arr, notes->text[i]);
	json_put(obj, key, arr);
}

static struct json_object *check_item_json(const struct check_item *item)
{
	struct json_object *obj = json_new_object();
	char key[32];

	name_lower(item->key, key, sizeof(key));
	json_put_string(obj, "id", key);
	json_put_string(obj, "name", item->name);
	json_put_string(obj, "state", check_state_name(item->state));
	json_put_bool(obj, "needed", item->need);
	json_put_string(obj, "what", item->what);
	return obj;
}

static void check_print_json(const struct check *c)
{
	static const char *const verdicts[] = {
		[VERDICT_LOADED] = "loaded", [VERDICT_CAN] = "yes", [VERDICT_CANNOT] = "no",
		[VERDICT_UNKNOWN] = "unknown",
	};
	struct json_object *obj = json_new_object(), *arr = json_new_array();

	json_put_string(obj, "verdict", verdicts[c->verdict]);
	check_put_notes(obj, "reasons", &c->reasons);
	check_put_notes(obj, "warnings", &c->warnings);
	json_put_string(obj, "source", check_source_name(c->caps.source));
	json_put_string(obj, "vendor", c->cpu.vendor);
	json_put_bool(obj, "nested", c->cpu.virtual);
	json_put_string(obj, "hypervisor", c->cpu.hypervisor[0] ? c->cpu.hypervisor : NULL);
	for (unsigned int i = 0; i < CHECK_NR_ITEMS; i++)
		json_append(arr, check_item_json(&c->item[i]));
	json_put(obj, "features", arr);
	output_json(obj, false);
}

static int check_run(int argc, char **argv)
{
	static const struct option longs[] = { OPT_COMMON, { 0 } };
	static const int statuses[] = {
		[VERDICT_LOADED] = HVCTL_OK, [VERDICT_CAN] = HVCTL_OK,
		[VERDICT_CANNOT] = HVCTL_FAIL, [VERDICT_UNKNOWN] = HVCTL_UNKNOWN,
	};
	static struct check check;
	bool json = false;

	while (opt_next(&cmd_check, argc, argv, OPT_COMMON_SHORT, longs) != -1)
		json = true;
	opt_no_operands(&cmd_check, argc, argv);
	check_name_items(&check);
	if (check_collect(&check))
		return HVCTL_FAIL;
	check_fill_items(&check);
	check_decide(&check);
	if (json)
		check_print_json(&check);
	else
		check_print_text(&check);
	return statuses[check.verdict];
}

const struct command cmd_check = {
	.name = "check",
	.summary = "tell whether Latch can be loaded here",
	.synopsis = "[--json]",
	.help =
	"List the CPU features that Latch needs or uses, and tell whether it can be\n"
	"loaded. Works with and without Latch; reading the CPU's capability MSRs takes\n"
	"root and, without Latch, the msr module.\n"
	"\n"
	"  -j, --json   print JSON\n"
	"  -h, --help   print this text\n"
	"\n"
	"Exit status: 0 can be loaded or is loaded, 1 cannot, 2 wrong usage,\n"
	"3 unknown, as the MSRs cannot be read.",
	.run = check_run,
};
