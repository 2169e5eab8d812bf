// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// The tests' kind of command, in a file that doesn't know the backend's.
typealias FinishedCommand = Command
