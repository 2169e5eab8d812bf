// SPDX-License-Identifier: Apache-2.0

// A library that is loaded before libfaketime: see steady_timers.c.
