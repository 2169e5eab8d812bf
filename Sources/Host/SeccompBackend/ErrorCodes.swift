// SPDX-License-Identifier: Apache-2.0

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
    /// The agent's socket would lie where others than root can put something in its place, or something else lies there.
    public static let socketPathUnsafe = Self("socket-path-unsafe")
    /// Another agent listens at the path.
    public static let socketInUse = Self("socket-in-use")
    /// The kernel made no socket.
    public static let socketUnavailable = Self("socket-unavailable")
    /// Somebody else than root wanted to hand over a container.
    public static let containerPeerRefused = Self("container-peer-refused")
    /// A container's runtime sent something that is no container process state.
    public static let containerStateMalformed = Self("container-state-malformed")
    /// As many processes of containers are supervised as may be.
    public static let containersFull = Self("containers-full")
    /// What was kept of a container for this agent is none that it can go on with.
    public static let containerNotTakenUp = Self("container-not-taken-up")
    /// A seccomp profile that the calls to be watched can't be put into.
    public static let profileUnusable = Self("seccomp-profile-unusable")
}
