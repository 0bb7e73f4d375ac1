// SPDX-License-Identifier: GPL-2.0-only
/* Failures of a launch: asked for by fail_at=, and told in one line. */
#include <latch/features.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/string.h>
#include "latch.h"

#define STEP_NAME(id, name, where) name,
static const char *const step_names[] = { LATCH_STEPS(STEP_NAME) };

#define FEATURE_NAME(id, index, bit, need, name, what) name,
static const char *const feature_names[] = { LATCH_FEATURES(FEATURE_NAME) };

#define REASON_ENTRY(id, err, text) { err, text },
static const struct {
	int err;
	const char *text;
} reasons[] = { LATCH_REASONS(REASON_ENTRY) };

static int parse_step(const char *name, size_t len, u32 *step)
{
	for (*step = 0; *step < LATCH_NR_STEPS; (*step)++)
		if (strlen(step_names[*step]) == len && !strncmp(step_names[*step], name, len))
			return 0;
	return -EINVAL;
}

/**
 * latch_failure_parse - parse fail_at=STEP[,CPU]
 * @text: the parameter
 * @step: out: enum latch_step, or LATCH_STEP_NONE for an empty one
 * @cpu: out: on which CPU, or LATCH_CPU_ANY
 *
 * Return: 0 or -EINVAL, with a message.
 */
int latch_failure_parse(const char *text, u32 *step, u32 *cpu)
{
	const char *comma = strchrnul(text, ',');

	*step = LATCH_STEP_NONE;
	*cpu = LATCH_CPU_ANY;
	if (!*text)
		return 0;
	if (parse_step(text, comma - text, step)) {
		pr_err("fail_at: no step is called '%.*s'\n", (int)(comma - text), text);
		return -EINVAL;
	}
	if (*comma && (kstrtou32(comma + 1, 10, cpu) || *cpu >= nr_cpu_ids)) {
		pr_err("fail_at: '%s' is not a CPU of this system\n", comma + 1);
		return -EINVAL;
	}
	return 0;
}

/**
 * latch_failure_injected - does fail_at= want this step of the module to fail
 *
 * Return: 0, or the error to fail with, which has been reported.
 */
int latch_failure_injected(u32 step)
{
	struct latch_error error = { .reason = LATCH_REASON_INJECTED, .step = step };

	if (latch.boot.fail_step != step)
		return 0;
	return latch_failure_report(raw_smp_processor_id(), &error, 0);
}

/**
 * latch_failure_report - say why a launch failed
 * @cpu: where
 * @error: what core said
 * @others: on how many other CPUs too
 *
 * Return: the errno that belongs to the reason, negative.
 */
int latch_failure_report(unsigned int cpu, const struct latch_error *error, unsigned int others)
{
	u32 reason = min_t(u32, error->reason, ARRAY_SIZE(reasons) - 1);
	const char *step = error->step < LATCH_NR_STEPS ? step_names[error->step] : "?";
	char more[32] = "";

	if (others)
		snprintf(more, sizeof(more), " (and on %u other CPUs)", others);
	if (reason == LATCH_REASON_FEATURE && error->value < ARRAY_SIZE(feature_names))
		pr_err("not loaded: CPU %u: step %s: %s '%s'%s\n", cpu, step,
		       reasons[reason].text, feature_names[error->value], more);
	else if (reason == LATCH_REASON_NO_VMX || reason == LATCH_REASON_UNDER_LATCH ||
		 reason == LATCH_REASON_INJECTED)
		pr_err("not loaded: CPU %u: step %s: %s%s\n", cpu, step,
		       reasons[reason].text, more);
	else
		pr_err("not loaded: CPU %u: step %s: %s %#llx%s\n", cpu, step,
		       reasons[reason].text, error->value, more);
	return -reasons[reason].err;
}
