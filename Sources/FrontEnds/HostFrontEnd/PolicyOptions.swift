// SPDX-License-Identifier: Apache-2.0

package import ArgumentParser
package import BehaviourBlocking
package import EpitopeModel
package import HostPolicy

/// Options of what is done about critical calls, and who is excluded.
package struct PolicyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The policy file: action, exclusions (default: \(HostPolicy.defaultPath), if it is there).", valueName: "file"))
    package var policy: String?

    @Option(help: "What is done about an attack, whatever the policy file says: block; stop or kill the process, too; or watch only.")
    package var action: Policy.Action?

    @Option(
        help: "What is done about a call that can't be inspected, whatever the policy file says: deny or allow. It is told in any case.")
    package var uninspectable: Policy.Uninspectable?

    package init() {}

    /// - Throws: `policy-missing`, `policy-not-trusted`, `policy-invalid`.
    package func load() throws(EpitopeError) -> HostPolicy {
        try HostPolicy(path: policy, overrides: .init(action: action, uninspectable: uninspectable))
    }
}
