// SPDX-License-Identifier: Apache-2.0

package import BehaviourBlocking
package import EpitopeModel
import Foundation
package import KernelBackend
import Synchronization
package import Testing

/// The kernel backend at work on this machine, for the tests of one process: one program serves all of them.
package final class Watch: Sendable {
    package static let shared = try? Watch()

    package let backend: KernelBackend
    private let calls = Mutex<[Detection]>([])
    private let notices = Mutex<[KernelBackend.Notice]>([])

    private init() throws {
        // What is watched goes on: results of the stubs can be seen, and nothing else of the machine is killed.
        backend = try KernelBackend(
            policy: Policy(action: .watch), level: .tracepoints)
        Task { for await call in backend.detections { calls.withLock { $0.append(call) } } }
        Task { for await notice in backend.notices { notices.withLock { $0.append(notice) } } }
    }

    /// What was reported so far.
    package var all: [Detection] { calls.withLock { $0 } }

    /// What was reported of a process; waits until something was, at most so long.
    package func calls(of process: Int32, atLeast count: Int = 1, milliseconds: Int = 10_000) async -> [Detection] {
        for _ in 0..<(milliseconds / 10) {
            let found = calls.withLock { $0.filter { $0.process.processID == process } }
            if found.count >= count { return found }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return calls.withLock { $0.filter { $0.process.processID == process } }
    }

    /// The calls that could not be inspected, with their programs' names.
    package var uninspectable: [(call: CriticalCall, name: String)] {
        notices.withLock { notices in
            notices.compactMap {
                guard case .uninspectable(let call, _, let name, _) = $0 else { return nil }
                return (call, name)
            }
        }
    }

    /// What was reported from a caller's address, as likely as not of a child of the program that was run.
    package func calls(from address: UInt64, milliseconds: Int = 10_000) async -> [Detection] {
        for _ in 0..<(milliseconds / 10) {
            let found = calls.withLock { $0.filter { $0.callersAddress == address } }
            if !found.isEmpty { return found }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return []
    }

    /// What was told of a process besides reports.
    package func notices(of process: Int32) -> [KernelBackend.Notice] {
        notices.withLock {
            $0.filter { notice in
                switch notice {
                // Before its exec the process is this one's child, whose other threads keep the address space busy.
                case .uninspectable(_, let id, let name, _): id == process && name.hasPrefix("call-stub")
                case .unattributable(_, let id, _, _), .signalFailed(let id): id == process
                case .unreadable, .leftOver: false
                }
            }
        }
    }
}

extension KernelBackend {
    /// Another one beside the tests' own. Loading takes a while, which is not to be one of the few threads' that tests share.
    package static func another(_ policy: Policy) async throws -> KernelBackend {
        try await withCheckedThrowingContinuation { continuation in
            Thread {
                continuation.resume(with: Result { try KernelBackend(policy: policy, level: .tracepoints) })
            }.start()
        }
    }
}

/// Whether the kernel takes the program here; tests that need it say so where not.
package enum Kernel {
    package static let canLoad = geteuid() == 0 && access("/sys/kernel/btf/vmlinux", R_OK) == 0
    package static let readsPageTables: Bool = {
        guard let symbols = try? String(contentsOfFile: "/proc/kallsyms", encoding: .utf8) else { return false }
        return symbols.contains(" page_offset_base\n")
    }()
    package static let why: Comment = "needs root and a kernel with type information (/sys/kernel/btf/vmlinux)"
}
