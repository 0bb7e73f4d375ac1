/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who reaches a private page, step by step: the common EPT and what CPUs have cached of
 * it, the views of a PAL, of a step and of hypapps (grants, kept leaves), and who changes
 * them: pal, guard, watch, the page of an APIC, INIT, join and leave. Names and order
 * are those of core/ept*.c, kick.c, startup.c, hypercall.c, apic.c and hypapp/; where the
 * order there changes it is to be changed here, and the other way round.
 *
 * There are two pages, PRIVATE_PAGE, which a PAL has, and its neighbour in the same 2 MiB.
 * GUARD_PAGE, WATCH_PAGE and APIC_PAGE say which one those are about.
 *
 * One step here is one access to memory that other CPUs see, or one section under the
 * lock of the EPT or of pal: CPUs that walk the tables in the middle of it find the old
 * rights or the new ones. What only this CPU sees goes into the step before it.
 *
 * A CPU has cached whatever it could since its last INVEPT, and uses it: what an entry
 * loses is collected for each CPU, and counts as if it were still there. The guest tries
 * any access at any time, and makes any call any number of times. So generations are kept
 * by how far behind them who is.
 *
 * A loop that waits blocks while nothing would have an effect. With QUIET the guest
 * begins nothing new from some time on: then all that was begun has to end. How a kick
 * comes, and quiesce, are in quiesce.pml.
 *
 * A CPU without Latch, as it has left or was never launched, is not looked at: it reaches
 * all memory. More of what is left out is in Documentation/testing.md.
 *
 * By -D: CPUS; by bit, which of them call PAL, GUARD, WATCH, move their APIC over a page (APIC;
 * with ICR, icr=1), ask for another's INIT, LEAVE (and are launched again), have core COPY
 * for them, and TOUCH pages; QUIET.
 */
#ifndef CPUS
#define CPUS		2
#endif
#ifndef PAL
#define PAL		0
#endif
#ifndef GUARD
#define GUARD		0
#endif
#ifndef WATCH
#define WATCH		0
#endif
#ifndef APIC
#define APIC		0
#endif
#ifndef ICR
#define ICR		0
#endif
#ifndef INIT
#define INIT		0
#endif
#ifndef LEAVE
#define LEAVE		0
#endif
#ifndef COPY
#define COPY		0
#endif
#ifndef TOUCH
#define TOUCH		7
#endif
#ifndef QUIET
#define QUIET		0
#endif

#define PRIVATE_PAGE	0
#define NEIGHBOUR	1
#define PAGES		2
#ifndef GUARD_PAGE
#define GUARD_PAGE	NEIGHBOUR
#endif
#ifndef WATCH_PAGE
#define WATCH_PAGE	NEIGHBOUR
#endif
#ifndef APIC_PAGE
#define APIC_PAGE	NEIGHBOUR
#endif

/* Entries, and accesses. To execute needs all rights; a step gives less. */
#define EPT_READ	1
#define EPT_WRITE	2
#define EPT_RWX		3
#define EPT_PRIVATE	4
#define EPT_DENY_GUARD	8
#define EPT_WATCH_READ	16
#define EPT_DENY_APIC	32
#define EPT_DENIED	(EPT_DENY_GUARD | EPT_WATCH_READ | EPT_DENY_APIC)
#define ELSEWHERE	64	/* leads to the zeros or a sink, not to the page */
#define EXEC		4

#define rights_of(entry)	((entry) & ELSEWHERE -> 0 : (entry) & EPT_RWX)
#define allows(entry, access)	(access == EXEC -> (entry) == EPT_RWX : (entry) & access)
#define with_rights(entry) \
	((entry) & EPT_WATCH_READ -> (entry) & ~EPT_RWX : \
	((entry) & (EPT_DENY_GUARD | EPT_DENY_APIC) -> ((entry) & ~EPT_RWX) | EPT_READ : \
	 (entry) | EPT_RWX))

/* enum latch_cpu_mode */
#define LATCH_CPU_OFF		0
#define LATCH_CPU_GUEST		1
#define LATCH_CPU_WAIT_SIPI	2

/* enum latch_pal_state */
#define LATCH_PAL_IDLE		0
#define LATCH_PAL_RUNNING	1
#define LATCH_PAL_PREEMPTED	2
#define LATCH_PAL_DEAD		3

/* enum hypapp_verdict */
#define HYPAPP_NOT_MINE		0
#define HYPAPP_STEP		1
#define HYPAPP_DONE		2

/* enum latch_guard_mode */
#define LATCH_GUARD_OFF		0
#define LATCH_GUARD_AUDIT	1
#define LATCH_GUARD_ENFORCE	2

/* What the VMCS leads to; the first three are what cpu->view says too. */
#define COMMON		0
#define OPEN		1
#define IN_PAL		2
#define STEP		3

#define FAR		5	/* as far behind as is told apart, and one more */

/* ept_guest */
byte entry[PAGES];
byte table;			/* the page table of the 2 MiB; 0: a large leaf */
byte tables;			/* page tables that are in use, by bit */
bit guarded;

/* percpu */
byte mode[CPUS];
bit guest_exits[CPUS];
bit kicked[CPUS];
bit init_wanted[CPUS];
byte behind[CPUS];		/* ept_seen is */
byte view[CPUS];
bit step[CPUS];			/* step.active */
bit apic_here[CPUS];		/* apic_base is APIC_PAGE */
byte step_leaf[CPUS * PAGES];
byte open_leaf[CPUS * PAGES];
byte grants[CPUS];		/* pages, by bit */
bit renewed[CPUS];		/* open->generation is that of the EPT */

/* hypapps */
bit making;
bit listed;
bit closing;
byte state;
byte pal_cpu;
byte guard_mode;
bit guard_busy;
bit watch_busy;
bit watch_lock;
bit range;			/* of the watchpoint */

/* The hardware. */
bit in_guest[CPUS];
byte eptp[CPUS];
byte cached[CPUS * PAGES];	/* rights that the common EPT has no more */
byte cached_open[CPUS * PAGES];	/* and that the EPT of ept_open.c has no more */
byte cached_table[CPUS];	/* tables that have been merged, by bit */
bit cached_pal[CPUS];

/* What is checked. */
bit private;			/* from the end of hiding to the wipe */
bit secret;			/* in the page */
bit enforced;			/* guard_set() has returned */
bit kept;			/* guard_add() has */
bit told;			/* watch_add() has */
byte asked[CPUS];		/* rights that watch has let an instruction have */
bit quiet;

/* How far behind that is what a CPU has read; 1: it is the newest, 0: none. */
byte change[CPUS];		/* ept_guest_shoot_down() */
byte seen[CPUS];		/* ept_guest_sync() */

/* Within a step. */
hidden byte other, value;

#define me	(_pid - 1)	/* "init" is process 0 */
#define of(cpu, page)		((cpu) * PAGES + (page))
#define must_follow(target)	(mode[target] == LATCH_CPU_GUEST && behind[target] >= change[me])

/* It says so, or uses it: a CPU that comes from wait for SIPI is only about to. */
#define has_followed(cpu) \
	(mode[cpu] == LATCH_CPU_GUEST && (in_guest[cpu] || !behind[cpu]))

#define reach(cpu, page) \
	(eptp[cpu] == COMMON -> rights_of(entry[page]) | cached[of(cpu, page)] : \
	(eptp[cpu] == STEP -> rights_of(step_leaf[of(cpu, page)]) : \
	(eptp[cpu] == OPEN -> rights_of(open_leaf[of(cpu, page)]) | cached_open[of(cpu, page)] : 0)))

#define for_all(cpu)	cpu = 0; do :: cpu < CPUS ->
#define end_all(cpu)	; cpu++ :: else -> cpu = 0; break od

/*
 * Promela has no calls: what is long is there once, and goes on by @back. It is a step
 * of its own that others do not see.
 */
#define CALL(what, n)	back = n; goto what; from_##n: back = 0
#define RETURN(n)	:: back == n -> goto from_##n

/* ---- ept.c: in one step ---- */

/* To @value. */
inline entry_set(page)
{
	for_all(other)
		cached[of(other, page)] = (guest_exits[other] ->
			(cached[of(other, page)] | rights_of(entry[page])) & ~rights_of(value) : 0)
	end_all(other);
	entry[page] = value
}

inline leaf_split()
{
	if
	:: table == 0 ->
		do
		:: table == 0 || tables & (1 << table) -> table++
		:: else -> break
		od;
		assert(table <= CPUS + 1);
		tables = tables | (1 << table)
	:: else
	fi
}

/* The table that is no longer needed is @freed. */
inline ept_merge()
{
	if
	:: table && entry[PRIVATE_PAGE] == EPT_RWX && entry[NEIGHBOUR] == EPT_RWX ->
		for_all(other)
			cached_table[other] = (guest_exits[other] ->
				cached_table[other] | (1 << table) : 0)
		end_all(other);
		freed = table;
		table = 0
	:: else
	fi
}

inline ept_deny(page, mask, bits)
{
	if
	:: entry[page] & EPT_PRIVATE -> failed = (bits != 0)	/* -EBUSY */
	:: else ->
		leaf_split();
		value = (entry[page] & ~mask) | bits;
		value = with_rights(value);
		entry_set(page)
	fi
}

inline ept_hide_page(page)
{
	if
	:: entry[page] != EPT_RWX -> failed = 1			/* -EBUSY */
	:: else ->
		leaf_split();
		value = EPT_PRIVATE;
		entry_set(page)
	fi
}

inline ept_zero_page(page)
{
	if
	:: entry[page] & EPT_PRIVATE -> entry[page] = EPT_PRIVATE | ELSEWHERE | EPT_READ
	:: else
	fi
}

inline ept_show_page(page)
{
	if
	:: entry[page] & EPT_PRIVATE ->
		value = EPT_RWX;
		entry_set(page)
	:: else
	fi
}

/* pool.c */
inline pool_free()
{
	if
	:: freed ->
		for_all(other)
			/* A CPU may still walk it. */
			assert(!(has_followed(other) && cached_table[other] & (1 << freed)));
			cached_table[other] = cached_table[other] & ~(1 << freed)
		end_all(other);
		tables = tables & ~(1 << freed);
		freed = 0
	:: else
	fi
}

/* ---- ept_step.c, within a step ---- */

inline ept_guest_step(page)
{
	if
	/* It may have been shown, and merged, since the violation. */
	:: table && !step[me] ->
		assert(table);
		step_leaf[of(me, 0)] = (entry[0] & EPT_PRIVATE -> ELSEWHERE | EPT_RWX : rights_of(entry[0]));
		step_leaf[of(me, 1)] = (entry[1] & EPT_PRIVATE -> ELSEWHERE | EPT_RWX : rights_of(entry[1]));
		if
		/* Hypapps have not been asked yet. */
		:: entry[page] & (EPT_PRIVATE | EPT_DENY_GUARD)
		:: else -> step_leaf[of(me, page)] = EPT_RWX
		fi;
		step[me] = 1;
		eptp[me] = STEP;
		invept_all()
	:: else
	fi
}

inline ept_guest_end_step()
{
	step[me] = 0;
	eptp[me] = COMMON;
	step_leaf[of(me, 0)] = 0;
	step_leaf[of(me, 1)] = 0
}

/* ---- ept_guest.c, kick.c ---- */

inline invept_all()
{
	cached[of(me, 0)] = 0;
	cached[of(me, 1)] = 0;
	cached_open[of(me, 0)] = 0;
	cached_open[of(me, 1)] = 0;
	cached_table[me] = 0;
	cached_pal[me] = 0
}

/* What hypapp_sync() has to follow are registers. */
inline ept_guest_sync()
{
	if
	:: behind[me] ->
		seen[me] = 1;
		d_step {
			if
			:: step[me] -> ept_guest_end_step()
			:: else
			fi;
			invept_all()
		}
		d_step { behind[me] = seen[me] - 1; seen[me] = 0 }
	:: !behind[me]
	fi
}

inline add_generation()
{
	for_all(other)
		behind[other] = (behind[other] < FAR -> behind[other] + 1 : FAR);
		change[other] = (change[other] && change[other] < FAR -> change[other] + 1 : change[other]);
		seen[other] = (seen[other] && seen[other] < FAR -> seen[other] + 1 : seen[other]);
		renewed[other] = 0;
		if
		/* It will not use them. */
		:: view[other] != OPEN -> open_leaf[of(other, 0)] = 0; open_leaf[of(other, 1)] = 0
		:: else
		fi
	end_all(other);
	change[me] = 1
}

inline kick_one(cpu)
{
	d_step {
		if
		:: mode[cpu] == LATCH_CPU_GUEST -> kicked[cpu] = 1
		:: else
		fi
	}
}

inline kick_all()
{
	do
	:: atomic { target == CPUS -> target = 0; break }
	:: d_step { target != CPUS && (target == me || !must_follow(target)) -> target++ }
	:: d_step { target != CPUS && target != me && must_follow(target) && !kicked[target] ->
		kicked[target] = 1
	   }
	:: target != CPUS && behind[me] -> ept_guest_sync()
	od
}

/* ---- ept_view.c ---- */

inline ept_view_enter(which)
{
	assert(view[me] == COMMON && !step[me]);
	view[me] = which;
	eptp[me] = which
}

inline ept_view_leave()
{
	view[me] = COMMON;
	eptp[me] = COMMON
}

/* ---- ept_open.c, within a step ---- */

inline ept_unmap_page(page)
{
	cached_open[of(me, page)] = cached_open[of(me, page)] | rights_of(open_leaf[of(me, page)]);
	open_leaf[of(me, page)] = 0
}

/* end() there */
inline end_open()
{
	if
	:: grants[me] & 1 -> ept_unmap_page(0)
	:: else
	fi;
	if
	:: grants[me] & 2 -> ept_unmap_page(1)
	:: else
	fi;
	if
	:: !renewed[me] -> open_leaf[of(me, 0)] = 0; open_leaf[of(me, 1)] = 0
	:: else
	fi;
	grants[me] = 0;
	asked[me] = 0;
	ept_view_leave();
	invept_all()
}

inline renew()
{
	if
	:: !renewed[me] ->
		open_leaf[of(me, 0)] = 0;
		open_leaf[of(me, 1)] = 0;
		renewed[me] = 1
	:: else
	fi
}

inline grant(page, rights)
{
	open_leaf[of(me, page)] = rights;
	grants[me] = grants[me] | (1 << page)
}

inline grant_denied(found)
{
	if
	:: access == EPT_WRITE || found & EPT_WRITE -> grant(page, EPT_RWX)
	:: else -> grant(page, EPT_READ)
	fi
}

/* ---- apic.c ---- */

#if CPUS > 2
#define is_at_apic	(apic_here[0] || apic_here[1] || apic_here[2])
#else
#define is_at_apic	(apic_here[0] || apic_here[1])
#endif
#define ept_view_is_free	(!(entry[APIC_PAGE] & EPT_PRIVATE) && \
				 !(guarded && entry[APIC_PAGE] & EPT_DENY_GUARD))

/* ---- pal.c, pal_run.c ---- */

inline begin_making()
{
	do
	:: atomic { !making -> making = 1; break }
	:: making && behind[me] -> ept_guest_sync()
	od
}

inline take()
{
	state = LATCH_PAL_RUNNING;
	pal_cpu = me
}

inline any_cpu_leaves()
{
	for_all(other)
		failed = failed || (guest_exits[other] && mode[other] == LATCH_CPU_OFF)
	end_all(other)
}

inline stop()
{
	closing = 1;
	do
	:: state != LATCH_PAL_RUNNING -> break
	:: state == LATCH_PAL_RUNNING && !kicked[pal_cpu] -> kick_one(pal_cpu)
	:: state == LATCH_PAL_RUNNING && behind[me] -> ept_guest_sync()
	od
}

/* Nothing is freed that a CPU may have cached. */
inline pal_space_free()
{
	for_all(other)
		assert(eptp[other] != IN_PAL);
		assert(!(has_followed(other) && cached_pal[other]));
		cached_pal[other] = 0
	end_all(other);
	assert(state != LATCH_PAL_RUNNING && !listed);
	state = 0;
	closing = 0;
	pal_cpu = 0
}

inline start()
{
	for_all(other)
		assert(eptp[other] != IN_PAL)		/* one at a time */
	end_all(other);
	assert(listed && private);			/* and only while the page is its */
	assert(!(GUARD && GUARD_PAGE == PRIVATE_PAGE && enforced && kept));
	assert(!(APIC && APIC_PAGE == PRIVATE_PAGE && apic_here[me]));
	ept_view_enter(IN_PAL);
	cached_pal[me] = 1;
	secret = 1
}

/* come_back(), interrupt(), end(), reset(): hide(), then pal_release() */
inline leave_pal(to)
{
	ept_view_leave();
	state = to
}

/* ---- startup.c ---- */

inline view_kicked()
{
	if
	:: atomic { view[me] == OPEN -> end_open() }
	:: view[me] == IN_PAL && closing -> leave_pal(LATCH_PAL_DEAD)
	:: view[me] == COMMON || view[me] == IN_PAL && !closing
	fi
}

inline view_reset()
{
	if
	:: atomic { view[me] == OPEN -> end_open() }
	:: view[me] == IN_PAL -> leave_pal(LATCH_PAL_DEAD)
	:: view[me] == COMMON
	fi
}

inline startup_handle_init()
{
	kicked[me] = 0;					/* kick_take() */
	ept_guest_sync();
	if
	:: !init_wanted[me] -> view_kicked()
#if INIT
	:: atomic { init_wanted[me] -> init_wanted[me] = 0 }
	   if
	   :: atomic { kicked[me] -> init_wanted[me] = 1 }
		view_kicked()
	   :: atomic { !kicked[me] -> kicked[me] = 1 }	/* kick_hold() */
		d_step {
			if
			:: step[me] -> ept_guest_end_step()
			:: else
			fi
		}
		view_reset();
		mode[me] = LATCH_CPU_WAIT_SIPI;
		kicked[me] = 0
	   fi
#endif
	fi
}

/* ---- a CPU ---- */

#define guest_calls(who) \
	((who) & (1 << me) && in_guest[me] && mode[me] == LATCH_CPU_GUEST && eptp[me] == COMMON && \
	 !quiet)
#define guest_is_in(which)	(in_guest[me] && eptp[me] == which && !quiet)
#define leaf(page) \
	(eptp[me] == COMMON -> entry[page] : \
	(eptp[me] == STEP -> step_leaf[of(me, page)] : open_leaf[of(me, page)]))
#define may_try(p, a) \
	(TOUCH & (1 << me) && in_guest[me] && mode[me] == LATCH_CPU_GUEST && \
	 eptp[me] != IN_PAL && !quiet && !allows(leaf(p), a))

proctype cpu_run()
{
	byte page, access, found, verdict, target, freed, back;
	bit failed, leaving;

guest:
	if
	:: atomic { in_guest[me] && kicked[me] -> in_guest[me] = 0 }
	   startup_handle_init();
	   goto resume
	/* What is not allowed, in whatever view: ept_guest_handle_violation(). */
	:: atomic { may_try(PRIVATE_PAGE, EPT_READ) ->
		page = PRIVATE_PAGE; access = EPT_READ; goto violation }
	:: atomic { may_try(PRIVATE_PAGE, EPT_WRITE) ->
		page = PRIVATE_PAGE; access = EPT_WRITE; goto violation }
	:: atomic { may_try(PRIVATE_PAGE, EXEC) ->
		page = PRIVATE_PAGE; access = EXEC; goto violation }
	:: atomic { may_try(NEIGHBOUR, EPT_READ) ->
		page = NEIGHBOUR; access = EPT_READ; goto violation }
	:: atomic { may_try(NEIGHBOUR, EPT_WRITE) ->
		page = NEIGHBOUR; access = EPT_WRITE; goto violation }
	:: d_step { in_guest[me] && step[me] && !quiet -> ept_guest_end_step() }	/* monitor trap */
	   goto guest
	:: d_step { guest_is_in(OPEN) -> end_open() }		/* or another exit */
	   goto guest
#if PAL
	:: atomic { guest_is_in(IN_PAL) -> in_guest[me] = 0 }
	   if
	   :: leave_pal(LATCH_PAL_IDLE)
	   :: leave_pal(LATCH_PAL_PREEMPTED)
	   :: leave_pal(LATCH_PAL_DEAD)
	   fi;
	   goto resume
	:: atomic { guest_calls(PAL) && !listed -> in_guest[me] = 0; goto register }
	:: atomic { guest_calls(PAL) && listed -> in_guest[me] = 0; goto unregister }
#endif
#if COPY
	:: atomic { guest_calls(COPY) -> in_guest[me] = 0; goto copy }
#endif
#if GUARD
	:: atomic { guest_calls(GUARD) && !guard_busy -> in_guest[me] = 0; guard_busy = 1; goto guard }
#endif
#if WATCH
	:: atomic { guest_calls(WATCH) && !watch_busy -> in_guest[me] = 0; watch_busy = 1; goto watch }
#endif
#if APIC
	:: atomic { guest_calls(APIC) -> in_guest[me] = 0; goto apic }
#endif
#if INIT
	:: atomic { guest_calls(INIT) -> in_guest[me] = 0; goto request_init }
	:: mode[me] == LATCH_CPU_WAIT_SIPI -> goto sipi
#endif
#if LEAVE
	:: atomic { guest_calls(LEAVE) -> in_guest[me] = 0; goto leave }
	/* It executes its VMCALL again; or it has been launched. */
	:: atomic { in_guest[me] && mode[me] == LATCH_CPU_OFF && !quiet -> in_guest[me] = 0 }
	   if
	   :: goto leave
	   :: goto join
	   fi
#endif
	fi;

violation:
	atomic {
		in_guest[me] = 0;
		if
		:: view[me] == OPEN -> goto open_violation
		:: else
		fi
	}
#if APIC
	if
	:: ICR && !step[me] && access == EPT_WRITE && page == APIC_PAGE && is_at_apic ->
		goto apic_violation
	:: !(ICR && !step[me] && access == EPT_WRITE && page == APIC_PAGE && is_at_apic)
	fi;
#endif
	atomic {
		found = entry[page];
		if
		:: step[me] ->
			ept_guest_end_step();
			/* Two hidden pages at once. */
			if
			:: found & EPT_PRIVATE && access == EPT_WRITE -> goto resume
			:: else
			fi
		:: else
		fi;
		if
		:: allows(found, access) -> invept_all(); goto resume
		:: else -> found = 0
		fi
	}

refuse:	/* hypapp_ept_violation() */
#if GUARD
	if
	:: access == EPT_WRITE ->
		verdict = guard_mode;
		d_step {
			if
			:: !(entry[page] & EPT_DENY_GUARD) -> verdict = HYPAPP_NOT_MINE
			:: else -> verdict = (verdict == LATCH_GUARD_ENFORCE -> HYPAPP_DONE : HYPAPP_STEP)
			fi
		}
	:: access != EPT_WRITE
	fi;
	if
	:: verdict == HYPAPP_DONE -> goto decided
	:: verdict != HYPAPP_DONE
	fi;
#endif
#if PAL
	if
	/* handle_fetch(): with the lock of pal */
	:: atomic { access == EXEC && page == PRIVATE_PAGE && listed && !closing &&
		    (state == LATCH_PAL_IDLE || state == LATCH_PAL_PREEMPTED) ->
		take();
		goto enter
	   }
	:: true
	fi;
	if
	/* deal_with() */
	:: entry[page] & EPT_PRIVATE ->
		verdict = HYPAPP_DONE;
		d_step {
			if
			:: access == EPT_WRITE -> ept_guest_step(page)
			:: access == EPT_READ -> ept_zero_page(page)
			:: else
			fi
		}
		goto decided
	:: !(entry[page] & EPT_PRIVATE)
	fi;
#endif
#if WATCH
	atomic {
		!watch_lock;
		if
		:: range && page == WATCH_PAGE ->
			verdict = HYPAPP_STEP;
			asked[me] = asked[me] | (access == EPT_WRITE -> EPT_RWX : EPT_READ)
		:: else
		fi
	}
#endif

decided:
	atomic {
		if
		:: view[me] == OPEN && verdict == HYPAPP_STEP -> grant_denied(found); goto resume
		:: view[me] == OPEN && verdict != HYPAPP_STEP -> end_open(); goto resume
		:: view[me] != OPEN && verdict != HYPAPP_STEP -> goto resume
		:: else ->				/* ept_open_step() */
			renew();
			ept_view_enter(OPEN)
		fi
	}
	d_step {
		if
		:: entry[page] & EPT_DENIED -> grant_denied(entry[page])
		:: else
		fi
	}
	goto resume;

open_violation:
	atomic {
		found = entry[page];
		if
		:: found & EPT_PRIVATE && access == EXEC -> end_open(); goto resume
		:: found & EPT_PRIVATE && access != EXEC ->	/* grant_sink() */
			grant(page, ELSEWHERE | EPT_RWX);
			goto resume
		:: allows(found, access) && !(found & EPT_PRIVATE) ->	/* copy() */
			open_leaf[of(me, page)] = rights_of(found);
			goto resume
#if APIC
		:: !allows(found, access) && found & EPT_DENY_APIC && access == EPT_WRITE ->
			end_open();			/* go_on_without() */
			goto apic_violation
#endif
		:: else -> goto refuse
		fi
	}

#if APIC
apic_violation:	/* apic_handle_violation(); or the write is completed there */
	if
	:: d_step { true -> ept_guest_step(page) }
	:: apic_here[me]
	fi;
	goto resume;

apic:	/* apic_write_base() */
	if
	:: apic_here[me] ->
		apic_here[me] = 0;
		if
		:: d_step { ICR && !is_at_apic -> ept_deny(APIC_PAGE, EPT_DENY_APIC, 0) }
		:: !(ICR && !is_at_apic) -> goto resume
		fi
	:: !apic_here[me] && ept_view_is_free ->
		apic_here[me] = 1;
		if
		:: d_step { ICR -> ept_deny(APIC_PAGE, EPT_DENY_APIC, EPT_DENY_APIC) }
		:: !ICR -> goto resume
		fi
	:: !apic_here[me] && !ept_view_is_free -> goto resume
	fi;
	if
	:: !failed -> CALL(shoot_down, 1)
	:: failed
	fi;
	goto resume;
#endif

#if PAL
enter:	/* pal_run_enter(), pal_run_resume(); the CPU is not in the right world */
	if
	:: d_step { true -> start() }
	:: state = LATCH_PAL_IDLE
	fi;
	goto resume;

register:	/* pal_register() */
	begin_making();
	atomic {
		any_cpu_leaves();
		failed = failed || listed
	}
	if
	:: failed || entry[PRIVATE_PAGE] != EPT_RWX -> goto end_making
	:: !failed && entry[PRIVATE_PAGE] == EPT_RWX	/* pal_space_make() */
	fi;
	d_step { ept_hide_page(PRIVATE_PAGE) }		/* ept_view_hide() */
	CALL(shoot_down, 2);
	if
	:: failed -> goto end_making
	:: !failed
	fi;
	d_step { any_cpu_leaves() }
	d_step {
		failed = failed || APIC && APIC_PAGE == PRIVATE_PAGE && is_at_apic;
		private = !failed			/* and pal_service_measure() */
	}
	if
	:: failed -> goto give_pages_back
	:: !failed -> goto give_pages_back				/* publish() has failed */
	:: d_step { !failed -> listed = 1; state = LATCH_PAL_IDLE }
	   goto end_making
	fi;

unregister:	/* pal_unregister(), also as the file is closed; pal_shutdown() */
	begin_making();
	if
	:: !listed -> goto end_making
	:: listed -> stop()				/* finish() */
	fi;
	atomic { secret = 0; private = 0 }		/* pal_space_wipe() */

give_pages_back:	/* ept_view_show() */
	atomic {
		/* Its contents, and that nobody is in a view with it, are the caller's business. */
		assert(!secret);
		for_all(other)
			assert(eptp[other] != IN_PAL)
		end_all(other);
		private = 0;
		ept_show_page(PRIVATE_PAGE);
		ept_merge()
	}
	CALL(shoot_down, 3);
	d_step { pool_free() }
	listed = 0;					/* withdraw() */
	d_step { pal_space_free() }

end_making:
	making = 0;
#if LEAVE
	if
	:: leaving -> goto left
	:: !leaving
	fi;
#endif
	goto resume;
#endif

#if COPY
copy:	/* guest_read_physical(), guest_write_physical(): ept_view_access() */
	atomic {
		if
		:: page = PRIVATE_PAGE; access = EPT_READ
		:: page = PRIVATE_PAGE; access = EPT_WRITE
		:: page = NEIGHBOUR; access = EPT_WRITE
		fi;
		if
		:: entry[page] & EPT_PRIVATE -> goto resume
		:: access == EPT_WRITE && guarded && entry[page] & EPT_DENY_GUARD -> goto resume
		:: else
		fi
	}
	d_step {
		assert(!(page == PRIVATE_PAGE && private));
		assert(!(GUARD && page == GUARD_PAGE && access == EPT_WRITE && enforced && kept))
	}
	goto resume;
#endif

#if GUARD
guard:
	if
	:: guard_mode == LATCH_GUARD_OFF || entry[GUARD_PAGE] & EPT_PRIVATE
	:: guard_mode != LATCH_GUARD_OFF && !(entry[GUARD_PAGE] & EPT_PRIVATE) ->
		goto guard_add
	/* What a module had, by somebody who may. */
	:: !(entry[GUARD_PAGE] & EPT_PRIVATE) -> kept = 0; goto give_back
	/* guard_set() */
	:: d_step { guard_mode != LATCH_GUARD_OFF ->
		guard_mode = LATCH_GUARD_OFF;
		enforced = 0
	   }
	   guarded = 0;
	   kept = 0;
	   goto give_back
	:: d_step { guard_mode != LATCH_GUARD_AUDIT ->
		guard_mode = LATCH_GUARD_AUDIT;
		enforced = 0
	   }
	   guarded = 0;
	   goto changed
	:: guard_mode != LATCH_GUARD_ENFORCE ->
		guard_mode = LATCH_GUARD_ENFORCE;
		guarded = 1;
		goto changed
	fi;
	goto guard_end;

guard_add:
	if
	:: d_step { true -> ept_deny(GUARD_PAGE, EPT_DENY_GUARD, EPT_DENY_GUARD) }
	:: failed = 1					/* -ENOMEM */
	fi;
	if
	:: !failed -> CALL(shoot_down, 4); kept = 1
	:: true						/* LATCH_GUARD_MORE */
	fi;
	goto guard_end;

give_back:
	atomic { ept_deny(GUARD_PAGE, EPT_DENY_GUARD, 0) }
	d_step { ept_merge() }				/* ept_guest_merge() */
	if
	:: freed -> CALL(shoot_down, 5); d_step { pool_free() }
	:: !freed
	fi;
	if
	:: goto guard_end
	:: guard_mode == LATCH_GUARD_OFF -> goto changed
	fi;

changed:	/* hypapp_changed() */
	CALL(shoot_down, 8);
	d_step {
		enforced = (guard_mode == LATCH_GUARD_ENFORCE);
		kept = ((entry[GUARD_PAGE] & EPT_DENY_GUARD) != 0)
	}
guard_end:
	guard_busy = 0;
	goto resume;
#endif

#if WATCH
watch:
	atomic { !watch_lock -> watch_lock = 1 }
	if
	:: range -> goto watch_remove
	:: !range && entry[WATCH_PAGE] & EPT_PRIVATE -> watch_lock = 0; goto watch_end
	:: !range && !(entry[WATCH_PAGE] & EPT_PRIVATE)
	fi;
	range = 1;					/* watch_set_add() */
	if
	:: d_step { true -> ept_deny(WATCH_PAGE, EPT_WATCH_READ, EPT_WATCH_READ) }
	:: failed = 1					/* -ENOMEM */
	fi;
	watch_lock = 0;
	if
	:: !failed ->
		CALL(shoot_down, 6);
		told = 1;
		goto watch_end
	:: failed -> atomic { !watch_lock -> watch_lock = 1 }
	fi;
watch_remove:
	atomic { range = 0; told = 0 }
	d_step { ept_deny(WATCH_PAGE, EPT_WATCH_READ, 0) }
	watch_lock = 0;
	d_step { ept_merge() }
	if
	:: freed -> CALL(shoot_down, 7); d_step { pool_free() }
	:: !freed
	fi;
watch_end:
	watch_busy = 0;
	goto resume;
#endif

#if INIT
request_init:	/* startup_request_init() */
	atomic {
		if
		:: target = (me + 1) % CPUS
		:: CPUS > 2 -> target = (me + 2) % CPUS
		fi
	}
	if
	:: mode[target] == LATCH_CPU_GUEST ->
		init_wanted[target] = 1;
		kick_one(target)
	:: mode[target] != LATCH_CPU_GUEST
	fi;
	target = 0;
	goto resume;

sipi:	/* startup_handle_sipi() */
	in_guest[me] = 0;
	init_wanted[me] = 0;
	mode[me] = LATCH_CPU_GUEST;
	ept_guest_sync();
	goto resume;
#endif

#if LEAVE
leave:	/* hypercall_leave(): hypapp_shutdown() */
#if PAL
	leaving = 1;
	goto unregister;
left:
	leaving = 0;
#endif
	mode[me] = LATCH_CPU_OFF;
	ept_guest_sync();
	if
	/* A kick is on its way, or NMIs are to be blocked first. */
	:: goto resume
	:: d_step { !kicked[me] ->	/* VMXOFF */
		assert(!private);	/* nobody may find what was hidden */
		guest_exits[me] = 0;
		invept_all()
	   }
	fi;
	/* vcpu_launch(): invept_all() */
	atomic { !quiet -> behind[me] = 0 }
	guest_exits[me] = 1;
	goto resume;

join:	/* hypercall_join() */
	mode[me] = LATCH_CPU_GUEST;
	ept_guest_sync();
	goto resume;
#endif

shoot_down:	/* ept_guest_shoot_down() */
	atomic { add_generation() }
	ept_guest_sync();
	kick_all();
	change[me] = 0;
	if
#if APIC
	RETURN(1)
#endif
#if PAL
	RETURN(2)
	RETURN(3)
#endif
#if GUARD
	RETURN(4)
	RETURN(5)
	RETURN(8)
#endif
#if WATCH
	RETURN(6)
	RETURN(7)
#endif
	fi;

resume:
	atomic {
		page = 0;
		access = 0;
		found = 0;
		verdict = 0;
		failed = 0;
		asked[me] = (view[me] == OPEN -> asked[me] : 0);
		assert(!target && !freed && !back);
		in_guest[me] = 1;
		goto guest
	}
}

/* ---- what must not be ---- */

#define reaches_private(cpu) \
	(private && in_guest[cpu] && mode[cpu] != LATCH_CPU_WAIT_SIPI && reach(cpu, PRIVATE_PAGE))
#define writes_kept(cpu) \
	(enforced && kept && in_guest[cpu] && mode[cpu] == LATCH_CPU_GUEST && \
	 reach(cpu, GUARD_PAGE) & EPT_WRITE)
/* Writes where another CPU has its APIC are not told: Documentation/watch.md. */
#define is_not_told(cpu) \
	(told && in_guest[cpu] && mode[cpu] == LATCH_CPU_GUEST && \
	 (eptp[cpu] != STEP || WATCH_PAGE != APIC_PAGE) && \
	 reach(cpu, WATCH_PAGE) & ~asked[cpu])

proctype monitor()
{
	if
	:: atomic { reaches_private(0) -> assert(!private) }
	:: atomic { reaches_private(1) -> assert(!private) }
	:: atomic { writes_kept(0) -> assert(!kept) }
	:: atomic { writes_kept(1) -> assert(!kept) }
	:: atomic { is_not_told(0) -> assert(!told) }
	:: atomic { is_not_told(1) -> assert(!told) }
#if CPUS > 2
	:: atomic { reaches_private(2) -> assert(!private) }
	:: atomic { writes_kept(2) -> assert(!kept) }
	:: atomic { is_not_told(2) -> assert(!told) }
#endif
	fi
}

init
{
	byte cpu;

	atomic {
		entry[PRIVATE_PAGE] = EPT_RWX;
		entry[NEIGHBOUR] = EPT_RWX;
		for_all(cpu)
			in_guest[cpu] = 1;
			guest_exits[cpu] = 1;
			mode[cpu] = LATCH_CPU_GUEST
		end_all(cpu);
		run cpu_run();
		run cpu_run();
#if CPUS > 2
		run cpu_run();
#endif
		run monitor()
	}
progress:
#if QUIET
	quiet = 1;
#endif
	timeout;
	atomic {
		assert(!making && !guard_busy && !watch_busy && !watch_lock);
		for_all(cpu)
			assert(in_guest[cpu] || !guest_exits[cpu])	/* else it hangs in root mode */
		end_all(cpu)
	}
	/* The others wait for something to do. */
	false
}
