// SPDX-License-Identifier: Apache-2.0

package import ArgumentParser
package import BehaviourBlocking
package import EpitopeModel
package import HostPolicy

/// Options of what is done about critical calls, and what is excluded.
package struct PolicyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The policy file, with the action and exclusions (default: \(HostPolicy.defaultPath), if it exists).", valueName: "file"))
    package var policy: String?

    @Option(
        help:
            "What to do about an attack, instead of the policy file's action: block the call; also stop or kill the process; or only watch."
    )
    package var action: Policy.Action?

    @Option(
        help:
            "What to do about a call that can't be inspected, instead of what the policy file says: deny or allow. A notice is printed in any case."
    )
    package var uninspectable: Policy.Uninspectable?

    package init() {}

    /// The policy for a program that protects: a file that can't be used doesn't keep it from that.
    ///
    /// - Parameter otherProcesses: what the command line says of processes outside of a command.
    package func inForce(_ stateOptions: HostStateOptions, otherProcesses: Policy.OtherProcesses? = nil) -> PolicyInForce {
        PolicyInForce(
            path: policy, overrides: .init(action: action, uninspectable: uninspectable, otherProcesses: otherProcesses),
            state: stateOptions.directory)
    }

    /// The policy for a person who looks at it.
    ///
    /// - Parameter otherProcesses: what the command line says of processes outside of a command.
    /// - Throws: `policy-missing`, `policy-not-trusted`, `policy-invalid`.
    package func load(otherProcesses: Policy.OtherProcesses? = nil) throws(EpitopeError) -> HostPolicy {
        try HostPolicy(path: policy, overrides: .init(action: action, uninspectable: uninspectable, otherProcesses: otherProcesses))
    }
}
