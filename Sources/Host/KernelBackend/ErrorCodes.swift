// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// The kernel did not take the program: too old, no type information, or no right to load it.
    public static let kernelProgramRefused = EpitopeError.Code("kernel-program-refused")
    /// Loading the program needs root's rights (CAP_BPF and CAP_PERFMON).
    public static let kernelProgramNotAllowed = EpitopeError.Code("kernel-program-not-allowed")
    /// The folder that is to hold the program is not on a bpffs, or not for this user.
    public static let holdingFolderUnusable = EpitopeError.Code("holding-folder-unusable")
}
