// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A way of entering the C library with a return address of one's choice (`return-stub`), a call, and what is held of it.
public struct ReturnCase: Sendable, CustomStringConvertible {
    /// What becomes of the call by default policy.
    public enum Outcome: Hashable, Sendable {
        /// Denied and reported.
        case blocked(EvidenceKind)
        /// Reported, and goes on.
        case reported(EvidenceKind)
        /// Can't be told from ordinary work: it goes on, and nobody is told.
        case unseen
    }

    /// The return address lies in unbacked memory.
    public static let unbacked = [
        "call", "jump", "return", "moved-call", "moved-jump", "moved-return", "heap-jump", "middle", "syscall", "relay",
    ]
    /// The return address lies in an image, or nowhere, and the call before it can't have made it.
    public static let impossible = [
        "plant-none", "plant-other", "plant-import", "plant-memory", "chain", "middle-planted", "nowhere", "signal", "two-threads",
    ]
    /// Code of an image is a go-between that can't be checked, and unbacked code stands right behind it.
    public static let gadgets = ["plant-register"]
    /// The same where nobody can see behind it: nothing but a guess tells it from ordinary work. In the second, the call before
    /// the address is a true one, and another thread put it there.
    public static let uncheckable = ["plant-framed", "two-threads-framed"]
    /// Code of an image is a willing go-between.
    public static let unseen = ["plant-same", "relay-directly"]
    /// Functions of the library that call others, with programs that they start. The first two are called by unbacked code.
    public static let goBetweens = ["long-path", "sort", "image-sort", "image-thread"]

    public var way: String
    public var call: String

    public init(_ way: String, _ call: String) {
        self.way = way
        self.call = call
    }

    public var description: String { "\(way) \(call)" }

    /// Every way with each of the calls.
    ///
    /// - Parameter calls: of "connect", "sendto", "sendmsg", "write", "execve".
    public static func all(calls: [String]) -> [ReturnCase] {
        let ways = unbacked + impossible + gadgets + uncheckable + unseen
        let further = calls.contains("execve") ? goBetweens.map { ReturnCase($0, "execve") } + [ReturnCase("image-exit", "listen")] : []
        return ways.flatMap { way in calls.map { ReturnCase(way, $0) } } + further
    }

    /// What the program is given. `exit` hands a handler only what makes a `listen`.
    public func arguments(port: UInt16) -> [String] { [way, call == "listen" ? "connect" : call, String(port)] }

    public var critical: CriticalCall { CriticalCall(rawValue: call) ?? .execve }

    /// Whether what arrives are datagrams, not connections.
    public var sendsDatagrams: Bool { ["sendto", "sendmsg", "write"].contains(call) }

    public var outcome: Outcome {
        switch way {
        case _ where Self.unbacked.contains(way) || Self.gadgets.contains(way), "long-path", "sort": .blocked(.libraryCall)
        case _ where Self.uncheckable.contains(way): .reported(.uncheckedReturn)
        case _ where Self.unseen.contains(way): .unseen
        default: .blocked(.impossibleReturn)
        }
    }

    /// Whether the kernel program's outcome is a fixed one: what another thread puts on the stack before the call can't be told from
    /// what was there, if it is in time.
    public var isJudgedByKernel: Bool { !hasTwoThreads && way != "silent-memory" }

    /// Whether another thread shows an address in the place of the return address. It may come too late: then the true one is seen.
    public var hasTwoThreads: Bool { way.hasPrefix("two-threads") }

    /// What becomes of the call by security hooks, which hold it until the agent has said how far the frame of an image's function
    /// reaches.
    public var outcomeByHooks: Outcome {
        ["plant-register", "plant-memory"].contains(way) ? .blocked(.libraryCall) : outcomeInKernel
    }

    /// What becomes of the call by the kernel program's own rules, which look at the process's memory instead of its files.
    public var outcomeInKernel: Outcome {
        switch way {
        // The import was never looked up, so the call before the address was never made.
        case "plant-same": .blocked(.impossibleReturn)
        // What stands behind a call through a register or memory counts only where a call stands before it, too.
        case "plant-register", "plant-memory", "chain": .reported(.uncheckedReturn)
        // The library calls `execve` through a pointer itself.
        case "image-sort": .unseen
        // A signal's number is no descriptor of a socket.
        case "signal" where call == "write": .unseen
        default: outcome
        }
    }
}
