/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol between CPUs, step by step: quiesce, kick, shoot-down of the EPT,
 * the guest's INIT and start-up IPI, join and leave, NMIs. Names and order are
 * those of core/quiesce.c, kick.c, startup.c, hypercall.c, apic.c, ept_guest.c,
 * event.c and entry.S; where the order there changes it is to be changed here, and the
 * other way round.
 *
 * One step here is one access to memory that other CPUs see, or one event of the
 * hardware. All these accesses are sequentially consistent in the code, or are
 * made so by x86. What only this CPU sees goes into the step before it.
 *
 * A loop that waits is a loop over what would have an effect, and blocks while
 * nothing would: so a wait that never ends is a deadlock here, which "init" finds
 * at the end. The limits of the code's waits are not modelled.
 *
 * Sizes, by -D: CPUS, and how often, by any CPU at any time, the guest calls
 * quiesce (QUIESCES), changes the EPT (CHANGES), asks for another CPU's INIT
 * (INITS), switches its APIC off (APICS), leaves (LEAVES) and is launched again; NMIs that come from outside
 * (NMIS); events of the guest's that an exit has cut short (EVENTS); NATIVE CPUs at
 * first (the last ones). An exit for nothing, as CPUID, has EXITS.
 */
#ifndef CPUS
#define CPUS		2
#endif
#ifndef QUIESCES
#define QUIESCES	0
#endif
#ifndef CHANGES
#define CHANGES		0
#endif
#ifndef INITS
#define INITS		0
#endif
#ifndef APICS
#define APICS		0
#endif
#ifndef LEAVES
#define LEAVES		0
#endif
#ifndef NMIS
#define NMIS		0
#endif
#ifndef EVENTS
#define EVENTS		0
#endif
#ifndef EXITS
#define EXITS		0
#endif
#ifndef NATIVE
#define NATIVE		0
#endif

#define NOBODY		CPUS

/* enum latch_cpu_mode */
#define LATCH_CPU_OFF		0
#define LATCH_CPU_GUEST		1
#define LATCH_CPU_WAIT_SIPI	2

/* Where a CPU is: who gets an NMI, and what does an INIT do? */
#define IN_LOADER	0	/* native: the loader's IDT */
#define IN_CHANGE_OVER	1	/* the change-over's IDT, VMX off */
#define IN_ROOT		2	/* core's IDT, VMX root operation */
#define IN_COMMIT	3	/* the same, from the look in .Lcommit to VMRESUME */
#define IN_GUEST	4	/* VMX non-root operation, activity state active */
#define IN_WAIT_SIPI	5	/* VMX non-root operation, wait for SIPI */

#define VMXON(cpu)	(where[cpu] >= IN_ROOT)

/* Memory of core. */
byte owner = NOBODY;
byte mode[CPUS];
bit held[CPUS];
bit kicked[CPUS];
bit init_wanted[CPUS];
bit nmi_pending[CPUS];
bit leaving[CPUS];
byte generation = 1;
byte ept_seen[CPUS];
bit guest_lock;
byte nmis[CPUS];		/* of the change-over; both counts of the code in one */

/* The hardware. */
byte where[CPUS];
bit init_pending[CPUS];
bit apic_off[CPUS];		/* it gets no INIT */
bit nmi_latch[CPUS];		/* came while NMIs were blocked */
bit nmi_blocked[CPUS];
bit restart[CPUS];		/* the NMI handler has moved RIP back to .Lcommit */
bit blocking_nmi[CPUS];		/* VMCS: of the guest's interruptibility */
bit entry_nmi[CPUS];		/* VMCS: entry interruption info is an NMI */
bit entry_event[CPUS];		/* VMCS: is another event */
bit mtf[CPUS];			/* VMCS: monitor trap flag, with MTF_NMI */
byte tlb[CPUS];			/* oldest generation that it may have cached */

/* The guest. */
bit in_handler[CPUS];		/* runs its NMI handler, to the IRET */
bit calls_leave[CPUS];		/* is at the VMCALL of latch_tramp_leave */

/* What is checked. */
byte stopped = NOBODY;		/* who was told that all others stand still */
byte shot;			/* last generation that all were said to have seen */
byte nmis_sent[CPUS];
byte nmis_handled[CPUS];
byte inits_asked[CPUS];
bit init_due[CPUS];
byte events_begun;
byte events_delivered;
byte quiesces = QUIESCES;
byte changes = CHANGES;
byte inits = INITS;
byte apics = APICS;
byte leaves = LEAVES;
byte launches = LEAVES + NATIVE;
byte nmis_left = NMIS;
byte events_left = EVENTS;
byte exits = EXITS;

#define me	(_pid - 1)	/* "init" is process 0 */
#define is_held(target)		(mode[target] != LATCH_CPU_GUEST || held[target])
#define must_follow(target)	(mode[target] == LATCH_CPU_GUEST && ept_seen[target] < change)

#define guest_calls	(where[me] == IN_GUEST && mode[me] == LATCH_CPU_GUEST && !mtf[me] && \
			 !calls_leave[me])

/* ---- ept_guest.c ---- */

inline ept_guest_sync()
{
	if
	:: atomic { ept_seen[me] != generation -> seen = generation }
	   tlb[me] = generation;			/* INVEPT */
	   atomic { ept_seen[me] = seen; seen = 0 }
	:: ept_seen[me] == generation
	fi
}

/* ---- kick.c ---- */

/*
 * In root operation it stays pending. In wait for SIPI the SDM says that it is
 * blocked; there are hypervisors which drop it. So both may happen.
 */
inline send_init(cpu)
{
	atomic {
		assert(VMXON(cpu));		/* else this resets a native CPU */
		assert(!init_pending[cpu]);	/* else the two merge */
		assert(!apic_off[cpu]);		/* else it is lost */
		if
		:: init_pending[cpu] = 1
		:: where[cpu] == IN_WAIT_SIPI
		fi
	}
}

inline kick_one(cpu)
{
	do
	:: atomic { kicked[cpu] -> break }
	:: atomic { !kicked[cpu] -> kicked[cpu] = 1 }
	   if
	   :: mode[cpu] == LATCH_CPU_GUEST ->
		send_init(cpu);
		break
	   :: mode[cpu] != LATCH_CPU_GUEST
	   fi;
	   kicked[cpu] = 0;
	   if
	   :: mode[cpu] == LATCH_CPU_GUEST
	   :: atomic { mode[cpu] != LATCH_CPU_GUEST -> break }
	   fi
	od
}

inline kick_all()
{
	target = 0;
	do
	:: atomic { target == CPUS -> target = 0; break }
	:: atomic { target != CPUS && (target == me || !must_follow(target)) -> target++ }
	:: target != CPUS && target != me && must_follow(target) ->
		kick_one(target);
		target++
	od;
	do
	:: atomic { target == CPUS -> target = 0; break }
	:: atomic { target != CPUS && (target == me || !must_follow(target)) -> target++ }
	:: target != CPUS && target != me && must_follow(target) && !kicked[target] ->
		kick_one(target)
	:: target != CPUS && ept_seen[me] != generation ->
		ept_guest_sync()
	od
}

/* Leaves what the CPU is at if a kick is on its way. */
inline kick_hold()
{
	if
	:: atomic { kicked[me] -> apics++; goto resume }
	:: atomic { !kicked[me] -> kicked[me] = 1 }
	fi
}

inline kick_release()
{
	kicked[me] = 0;
	if
	:: init_wanted[me] -> kick_one(me)
	:: !init_wanted[me]
	fi
}

inline kick_take()
{
	atomic { kick = kicked[me]; kicked[me] = 0 }
	ept_guest_sync()
}

/* ---- ept_guest.c ---- */

inline shoot_down()
{
	atomic { generation++; change = generation }
	ept_guest_sync();
	kick_all();
	atomic {
		other = 0;
		do
		:: other < CPUS ->
			/* A CPU on its way out does not count: it is as good as native. */
			assert(!(where[other] == IN_GUEST && mode[other] == LATCH_CPU_GUEST &&
				 tlb[other] < change));
			other++
		:: else -> other = 0; break
		od;
		if
		:: shot < change -> shot = change
		:: else
		fi;
		change = 0
	}
}

inline ept_guest_protect()
{
	atomic { !guest_lock -> guest_lock = 1 }
	guest_lock = 0;
	shoot_down()
}

/* ---- quiesce.c ---- */

inline try_own()
{
	atomic { owner == NOBODY -> owner = me }
}

inline quiesce_stand()
{
	do
	:: owner == NOBODY -> break
	:: owner != NOBODY ->
		held[me] = 1;
		do
		:: owner == NOBODY -> break
		:: owner != NOBODY && ept_seen[me] != generation -> ept_guest_sync()
		od;
		held[me] = 0
	od
}

inline quiesce_begin()
{
	do
	:: try_own(); break
	:: owner != NOBODY -> quiesce_stand()
	od;
	target = 0;
	do
	:: atomic { target == CPUS -> target = 0; break }
	:: atomic { target != CPUS && (target == me || is_held(target)) -> target++ }
	:: target != CPUS && target != me && !is_held(target) ->
		kick_one(target);
		target++
	od;
	do
	:: atomic { target == CPUS -> target = 0; break }
	:: atomic { target != CPUS && (target == me || is_held(target)) -> target++ }
	:: target != CPUS && target != me && !is_held(target) && !kicked[target] ->
		kick_one(target)
	:: target != CPUS && ept_seen[me] != generation ->
		ept_guest_sync()
	od;
	atomic {
		assert(stopped == NOBODY);	/* one at a time */
		stopped = me;
		do
		:: target < CPUS ->
			assert(target == me || where[target] != IN_GUEST ||
			       mode[target] != LATCH_CPU_GUEST);
			target++
		:: else -> target = 0; break
		od
	}
}

inline quiesce_end()
{
	stopped = NOBODY;
	owner = NOBODY
}

/* ---- startup.c ---- */

/* Asked for when the CPU is seen to run: from then on it has to be reset once. */
inline startup_request_init(cpu)
{
	if
	:: atomic { mode[cpu] == LATCH_CPU_GUEST -> inits_asked[cpu]++; init_due[cpu] = 1 }
	   init_wanted[cpu] = 1;
	   kick_one(cpu)
	:: mode[cpu] != LATCH_CPU_GUEST
	fi
}

inline startup_handle_init()
{
	kick_take();
	atomic { wanted = init_wanted[me]; init_wanted[me] = 0 }
	quiesce_stand();
	if
	:: kick && !wanted
	:: atomic { !(kick && !wanted) && kicked[me] -> init_wanted[me] = 1 }
	:: atomic { !(kick && !wanted) && !kicked[me] -> kicked[me] = 1 }
	   atomic {
		mtf[me] = 0;
		blocking_nmi[me] = 0;
		nmi_pending[me] = 0
	   }
	   atomic {
		assert(inits_asked[me]);	/* nobody has asked for this reset */
		inits_asked[me]--;
		init_due[me] = 0;
		mode[me] = LATCH_CPU_WAIT_SIPI
	   }
	   kicked[me] = 0
	fi;
	kick = 0;
	wanted = 0
}

inline startup_handle_sipi()
{
	init_wanted[me] = 0;
	mode[me] = LATCH_CPU_GUEST;
	quiesce_stand();
	ept_guest_sync()
}

/* ---- apic.c ---- */

inline apic_write_base()
{
	apic_off[me] = 1;
	apic_off[me] = 0;
	kick_release()
}

/* ---- hypercall.c ---- */

inline hypercall_join()
{
	blocking_nmi[me] = 0;
	mode[me] = LATCH_CPU_GUEST;
	quiesce_stand();
	ept_guest_sync()
}

/* Leaves the loop that tries it if the CPU is not to be resumed. */
inline hypercall_leave()
{
	mode[me] = LATCH_CPU_OFF;
	if
	:: kicked[me] -> goto resume
	:: !kicked[me]
	fi;
	if
	:: atomic { !leaving[me] && !blocking_nmi[me] ->
		leaving[me] = 1;
		blocking_nmi[me] = 1;
		goto resume
	   }
	:: else
	fi
}

/* ---- event.c ---- */

inline event_inject_nmi()
{
	atomic {
		nmi_pending[me] = 0;
		if
		:: mode[me] == LATCH_CPU_WAIT_SIPI
		:: else ->
			blocking_nmi[me] = 1;
			if
			:: entry_event[me] -> mtf[me] = 1
			:: else -> entry_nmi[me] = 1
			fi
		fi
	}
}

/* ---- the hardware ---- */

inline vm_exit()
{
	where[me] = IN_ROOT;
	blocking_nmi[me] = nmi_blocked[me]
}

inline deliver_nmi()
{
	assert(!in_handler[me]);	/* never into its own handler */
	in_handler[me] = 1;
	nmis_handled[me]++
}

inline vm_entry()
{
	/* Nobody has told the others that this CPU would stand still. */
	assert(stopped == NOBODY || mode[me] != LATCH_CPU_GUEST);
	assert(mode[me] != LATCH_CPU_GUEST || tlb[me] >= shot);
	where[me] = (mode[me] == LATCH_CPU_WAIT_SIPI -> IN_WAIT_SIPI : IN_GUEST);
	nmi_blocked[me] = blocking_nmi[me];
	assert(!(entry_nmi[me] && entry_event[me]));
	if
	:: where[me] == IN_WAIT_SIPI -> init_pending[me] = 0
	:: true
	fi;
	if
	:: entry_nmi[me] ->
		deliver_nmi();
		entry_nmi[me] = 0
	:: else
	fi;
	if
	:: entry_event[me] -> events_delivered++; entry_event[me] = 0
	:: else
	fi
}

/* root_nmi, latch_tramp_nmi; nobody executes an IRET. */
inline note_nmi(cpu)
{
	nmi_latch[cpu] = 0;
	nmi_blocked[cpu] = 1;
	if
	:: where[cpu] == IN_CHANGE_OVER -> nmis[cpu]++
	:: where[cpu] == IN_COMMIT -> nmi_pending[cpu] = 1; restart[cpu] = 1
	:: else -> nmi_pending[cpu] = 1
	fi
}

proctype nmi_source()
{
	byte cpu;

	do
	/* One that finds another in the latch is lost on bare hardware too. */
	:: nmis_left ->
		atomic {
			cpu = 0;
			do
			:: cpu < CPUS - 1 -> cpu++
			:: break
			od;
			nmis_left--;
			if
			:: !nmi_latch[cpu] ->
				nmi_latch[cpu] = 1;
				nmis_sent[cpu]++
			:: else
			fi;
			cpu = 0
		}
	:: atomic {
		nmi_latch[0] && !nmi_blocked[0] && where[0] != IN_LOADER &&
		where[0] < IN_GUEST -> note_nmi(0)
	   }
	:: atomic {
		nmi_latch[1] && !nmi_blocked[1] && where[1] != IN_LOADER &&
		where[1] < IN_GUEST -> note_nmi(1)
	   }
#if CPUS > 2
	:: atomic {
		nmi_latch[2] && !nmi_blocked[2] && where[2] != IN_LOADER &&
		where[2] < IN_GUEST -> note_nmi(2)
	   }
#endif
#if CPUS > 3
	:: atomic {
		nmi_latch[3] && !nmi_blocked[3] && where[3] != IN_LOADER &&
		where[3] < IN_GUEST -> note_nmi(3)
	   }
#endif
	od
}

/* ---- a CPU ---- */

proctype cpu_run()
{
	byte target, other, change, seen;
	bit kick, wanted;

	if
	:: me < CPUS - NATIVE -> goto guest
	:: else -> goto native
	fi;

guest:
	if
	/* Only an INIT comes before the monitor trap. */
	:: atomic { mtf[me] && where[me] == IN_GUEST -> vm_exit(); mtf[me] = 0 }
	   event_inject_nmi();
	   goto resume
	:: atomic { init_pending[me] && where[me] == IN_GUEST -> init_pending[me] = 0; vm_exit() }
	   startup_handle_init();
	   goto resume
	:: atomic { where[me] == IN_WAIT_SIPI -> vm_exit() }
	   startup_handle_sipi();
	   goto resume
	:: atomic { where[me] == IN_WAIT_SIPI -> false }	/* none comes */
	:: atomic { !mtf[me] && where[me] == IN_GUEST && nmi_latch[me] && !nmi_blocked[me] ->
		nmi_latch[me] = 0;
		nmi_blocked[me] = 1;
		deliver_nmi();
		goto guest
	   }
	:: atomic { !mtf[me] && in_handler[me] ->	/* IRET */
		in_handler[me] = 0;
		nmi_blocked[me] = 0;
		goto guest
	   }
	:: atomic { !mtf[me] && where[me] == IN_GUEST && mode[me] == LATCH_CPU_OFF &&
		    !calls_leave[me] && !in_handler[me] -> vm_exit() }
	   hypercall_join();
	   goto resume
	/* Again without effect, as long as a kick is on its way. */
	:: atomic { !mtf[me] && calls_leave[me] && !in_handler[me] &&
		    !(mode[me] == LATCH_CPU_OFF && kicked[me]) -> vm_exit() }
	   hypercall_leave();
	   goto leave
	:: atomic { guest_calls && quiesces -> quiesces--; vm_exit(); goto quiesce }
	:: atomic { guest_calls && changes -> changes--; vm_exit(); goto protect }
	:: atomic { guest_calls && inits -> inits--; vm_exit(); goto ask_init }
	/* Again without effect, as long as a kick is on its way. */
	:: atomic { guest_calls && apics && !kicked[me] -> apics--; vm_exit(); goto write_base }
	:: atomic { guest_calls && exits -> exits--; vm_exit(); goto exit }
	:: atomic { guest_calls && leaves && !in_handler[me] ->
		leaves--;
		calls_leave[me] = 1;
		goto guest
	   }
	fi;

exit:	/* It may have cut short the delivery of an event, which goes on behind it. */
	if
	:: atomic { events_left -> events_left--; events_begun++; entry_event[me] = 1 }
	:: true
	fi;
	goto resume;

quiesce:
	quiesce_begin();
	quiesce_end();
	goto resume;

protect:
	ept_guest_protect();
	goto resume;

ask_init:
	atomic {
		other = 0;
		do
		:: other < CPUS - 1 -> other++
		:: break
		od;
		if
		:: other == me -> other = (me + 1) % CPUS
		:: else
		fi
	}
	startup_request_init(other);
	other = 0;
	goto resume;

write_base:
	kick_hold();
	apic_write_base();

resume:	/* .Lcommit */
	if
	:: nmi_pending[me] -> event_inject_nmi(); goto resume
	:: atomic { !nmi_pending[me] -> where[me] = IN_COMMIT }
	fi;
	atomic {
		if
		:: restart[me] -> restart[me] = 0; where[me] = IN_ROOT; goto resume
		:: else -> vm_entry(); goto guest
		fi
	}

leave:	/* vcpu_leave, latch_tramp_exit */
	atomic {
		assert(!init_pending[me]);	/* VMXOFF: this would reset the CPU */
		assert(!entry_event[me] && !entry_nmi[me]);
		calls_leave[me] = 0;
		where[me] = IN_CHANGE_OVER
	}
	atomic { nmis[me] = nmis[me] + nmi_pending[me]; nmi_pending[me] = 0 }
	where[me] = IN_LOADER;
	atomic {
		assert(nmis[me] <= 1);		/* the second would be lost */
		if
		:: nmis[me] ->			/* INT 2 */
			nmis[me] = 0;
			deliver_nmi()
		:: else -> nmi_blocked[me] = 0	/* IRETQ */
		fi
	}

native:
	if
	:: atomic { nmi_latch[me] && !nmi_blocked[me] ->
		nmi_latch[me] = 0;
		nmi_blocked[me] = 1;
		deliver_nmi();
		goto native
	   }
	:: atomic { in_handler[me] ->
		in_handler[me] = 0;
		nmi_blocked[me] = 0;
		goto native
	   }
	:: atomic { launches && !in_handler[me] && !nmi_blocked[me] -> launches--; where[me] = IN_CHANGE_OVER }
	fi;
	where[me] = IN_ROOT;			/* percpu_load() */
	init_wanted[me] = 0;
	held[me] = 0;
	ept_seen[me] = generation;
	atomic {
		leaving[me] = 0;
		blocking_nmi[me] = 1;
		if
		:: nmis[me] -> nmis[me] = 0; nmi_pending[me] = 1
		:: else
		fi
	}
	/* Behind this look there is no restart: NMIs stay blocked until it joins. */
	if
	:: nmi_pending[me] -> event_inject_nmi()
	:: else
	fi;
	/* Since INVEPT nothing has been cached. */
	atomic { tlb[me] = generation; vm_entry(); goto guest }
}

/* ---- begin, and judge when nobody can go on ---- */

init
{
	byte cpu;

	atomic {
		do
		:: cpu < CPUS ->
			if
			:: cpu < CPUS - NATIVE ->
				where[cpu] = IN_GUEST;
				mode[cpu] = LATCH_CPU_GUEST
			:: else
			fi;
			ept_seen[cpu] = generation;
			tlb[cpu] = generation;
			cpu++
		:: else -> cpu = 0; break
		od;
		run cpu_run();
		run cpu_run();
#if CPUS > 2
		run cpu_run();
#endif
#if CPUS > 3
		run cpu_run();
#endif
#if NMIS
		run nmi_source()
#endif
	}
	timeout;
	atomic {
		assert(owner == NOBODY);
		assert(events_begun == events_delivered);
		do
		:: cpu < CPUS ->
			assert(where[cpu] == IN_GUEST || where[cpu] == IN_WAIT_SIPI ||
			       where[cpu] == IN_LOADER);	/* else it hangs in root mode */
			assert(!calls_leave[cpu]);		/* it can never leave */
			assert(!init_due[cpu]);			/* the guest's INIT is lost */
			assert(!kicked[cpu] || init_pending[cpu]);	/* no kick can reach it any more */
			assert(!init_pending[cpu] || where[cpu] == IN_WAIT_SIPI);
#if INITS == 0
			assert(nmis_handled[cpu] == nmis_sent[cpu]);
#endif
			cpu++
		:: else -> break
		od
	}
	/* The others wait for something to do. */
	false
}
