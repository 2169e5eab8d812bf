// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation

/// The PID namespace that this process runs in. The kernel program reports the machine's own process IDs: in another namespace's `/proc`
/// they stand for other processes, or for none.
enum ProcessNamespace {
    /// The machine's own PID namespace, the same on every kernel (linux/proc_ns.h, PROC_PID_INIT_INO).
    private static let machine = "pid:[4026531836]"

    /// - Parameter link: what `/proc/self/ns/pid` says; `nil` where it can't be read, as on a kernel without PID namespaces.
    /// - Throws: `agent-in-pid-namespace`.
    static func requireMachine(_ link: String? = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid"))
        throws(EpitopeError)
    {
        guard let link, link != machine else { return }
        throw EpitopeError(
            .agentInProcessNamespace,
            "the agent runs in a PID namespace of its own (\(link)): the kernel's process IDs stand for other processes there",
            remedy: "start the agent on the machine itself, or in a container that shares its PID namespace (docker run --pid=host, "
                + "hostPID: true); or protect single commands in here with epitope run")
    }
}
