public import EpitopeModel

extension EpitopeError.Code {
    /// The command isn't there, or its interpreter isn't.
    public static let commandNotFound = Self("command-not-found")
    /// The kernel would not execute the command.
    public static let commandNotExecutable = Self("command-not-executable")
    /// Another supervisor listens to the calls of this tree of processes already.
    public static let seccompBusy = Self("seccomp-busy")
    /// The kernel, or a container's policy, refuses the filter.
    public static let seccompUnavailable = Self("seccomp-unavailable")
    /// No process, thread or descriptor was to be had.
    public static let launchFailed = Self("launch-failed")
}
