// How the kernel should treat the calling thread. Wishes, not promises: where the kernel knows no such thing, nothing
// happens.
#pragma once

namespace safawinet {

// For threads that compute for long: whoever else wants the core gets more of it. Needs no privilege.
void lower_priority_of_this_thread();

// For threads that answer: a short time slice, so that on waking they come before one that computes (Linux 6.12, EEVDF:
// sched_setattr(2) with a runtime; on older kernels the scheduler favours who has slept anyway).
void prefer_short_slices_on_this_thread();

}  // namespace safawinet
