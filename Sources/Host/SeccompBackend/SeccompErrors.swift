// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// The command, or its interpreter, doesn't exist.
    public static let commandNotFound = Self("command-not-found")
    /// The kernel would not execute the command.
    public static let commandNotExecutable = Self("command-not-executable")
    /// There is no such user.
    public static let userUnknown = Self("user-unknown")
    /// Another supervisor already receives the calls of this tree of processes.
    public static let seccompBusy = Self("seccomp-busy")
    /// The kernel, or a container's policy, refuses the filter.
    public static let seccompUnavailable = Self("seccomp-unavailable")
    /// The kernel's settings let this process inspect no other one.
    public static let inspectionNotPermitted = Self("inspection-not-permitted")
    /// No process, thread or descriptor could be created.
    public static let launchFailed = Self("launch-failed")
    /// Users other than root could replace the agent's socket, or something else is at its path.
    public static let socketPathUnsafe = Self("socket-path-unsafe")
    /// Another agent listens at the path.
    public static let socketInUse = Self("socket-in-use")
    /// The socket could not be created.
    public static let socketUnavailable = Self("socket-unavailable")
    /// A user other than root tried to hand over a container.
    public static let containerPeerRefused = Self("container-peer-refused")
    /// A container's runtime sent something other than a container process state.
    public static let containerStateMalformed = Self("container-state-malformed")
    /// The agent supervises as many processes of containers as it is allowed to.
    public static let containersFull = Self("containers-full")
    /// This agent can't read the record of a container that an earlier agent supervised.
    public static let containerNotAdopted = Self("container-not-adopted")
    /// The critical calls can't be merged into a seccomp profile.
    public static let profileUnusable = Self("seccomp-profile-unusable")
}
