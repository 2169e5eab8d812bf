// SPDX-License-Identifier: Apache-2.0

/// An application of behaviour blocking: a kind of critical call that a host judges. Each is on or off by the host's policy.
public enum BlockingApplication: String, Hashable, Sendable, Codable, CaseIterable {
    /// Shell code blocking: calls that start a program.
    case exec
    case connect
    /// Send blocking, also of what is written to a socket, and of rings (io_uring).
    case send
    /// `bind`, `listen` and `accept`: code that has others connect to it.
    case listen

    /// Some of them in a word, in their order, such as `exec+send`; `none` where there are none.
    public static func word(_ applications: some Sequence<BlockingApplication>) -> String {
        let some = Set(applications)
        let names = allCases.filter(some.contains).map(\.rawValue)
        return names.isEmpty ? "none" : names.joined(separator: "+")
    }
}

extension CriticalCall {
    /// The application that judges the call; `nil` for calls into other processes, which `epitope run` judges always.
    public var application: BlockingApplication? {
        switch family {
        case .exec: .exec
        case .connect: .connect
        case .send: .send
        case .serve: .listen
        case .intrude: nil
        }
    }
}
