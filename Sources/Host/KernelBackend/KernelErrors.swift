// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// The kernel rejected the program: it is too old, lacks type information, or denies the right to load it.
    public static let kernelProgramRefused = EpitopeError.Code("kernel-program-refused")
    /// Loading the program needs root's rights (CAP_BPF and CAP_PERFMON).
    public static let kernelProgramNotAllowed = EpitopeError.Code("kernel-program-not-allowed")
    /// The agent was started in a PID namespace of its own, where the kernel's process IDs stand for other processes.
    public static let agentInProcessNamespace = EpitopeError.Code("agent-in-pid-namespace")
    /// The folder that the program is to be pinned in is not on a bpffs, or not accessible to this user.
    public static let pinsFolderUnusable = EpitopeError.Code("pins-folder-unusable")
}
