public import EpitopeModel

extension EpitopeError.Code {
    /// The kernel did not take the program: too old, no type information, or no right to load it.
    public static let kernelProgramRefused = EpitopeError.Code("kernel-program-refused")
    /// Loading the program needs root's rights (CAP_BPF and CAP_PERFMON).
    public static let kernelProgramNotAllowed = EpitopeError.Code("kernel-program-not-allowed")
}
