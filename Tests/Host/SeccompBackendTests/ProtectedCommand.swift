// SPDX-License-Identifier: Apache-2.0

import SeccompBackend

/// The backend's kind of command, in a file that doesn't know the tests' own.
typealias ProtectedCommand = Command
