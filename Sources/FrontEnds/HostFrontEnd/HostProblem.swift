// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
import Synchronization

/// Something of a host that doesn't work while protection is in force: for `epitope status`.
package struct HostProblem: Codable, Hashable, Sendable {
    /// What it is about, such as `policy`, `store` or `local center`.
    package var part: String
    package var code: String
    package var message: String
    package var remedy: String

    package init(_ part: String, _ error: EpitopeError) {
        self.part = part
        code = error.code.rawValue
        message = error.message
        remedy = error.remedy
    }

    /// In a line, for a person.
    package var line: String { "\(part): \(message) [\(code)]; what to do: \(remedy)" }
}

/// The problems that are known now, each part with its latest.
package final class ProblemBook: Sendable {
    private let problems = Mutex<[String: HostProblem]>([:])

    package init() {}

    /// Sets a part's problem, or ends it.
    package func set(_ part: String, _ error: EpitopeError?) {
        problems.withLock { $0[part] = error.map { HostProblem(part, $0) } }
    }

    package var current: [HostProblem] {
        problems.withLock { $0.values.sorted { $0.part < $1.part } }
    }
}
