// SPDX-License-Identifier: Apache-2.0

package import BehaviourBlocking
package import EpitopeModel
import Foundation
package import KernelBackend
import Synchronization
import TestSupport
package import Testing

/// A kernel backend that watches this machine, shared by all tests of one process.
package final class Watch: Sendable {
    package static let shared = try? Watch()

    package let backend: KernelBackend
    private let calls = Mutex<[Detection]>([])
    private let notices = Mutex<[KernelBackend.Notice]>([])

    private init() throws {
        // Calls are carried out: the stubs' results can be checked, and no other process is killed.
        backend = try KernelBackend(
            policy: Policy(action: .watch), level: .tracepoints)
        Task {
            for await report in backend.reports {
                calls.withLock { $0.append(report.detection) }
                report.acknowledge()
            }
        }
        Task { for await notice in backend.notices { notices.withLock { $0.append(notice) } } }
    }

    /// All reports so far.
    package var all: [Detection] { calls.withLock { $0 } }

    /// The reports of a process; waits until there are that many, at most that long.
    package func calls(of process: Int32, atLeast count: Int = 1, milliseconds: Int = 10_000) async -> [Detection] {
        for _ in 0..<(milliseconds / 10) {
            let found = calls.withLock { $0.filter { $0.process.processID == process } }
            if found.count >= count { return found }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return calls.withLock { $0.filter { $0.process.processID == process } }
    }

    /// The reports of all calls that were made until now, but for the first ones. They come in the order of the calls: it makes one itself,
    /// and waits for that.
    package func reports(after count: Int) async throws -> [Detection] {
        let mark = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "9"])
        try #require(await !calls(of: mark.processID, milliseconds: 60_000).isEmpty, "the agent does not look at calls any more")
        return all.dropFirst(count).filter { $0.process.processID != mark.processID }
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

    /// The reports with a caller's address, perhaps of a child of the program that was run.
    package func calls(from address: UInt64, milliseconds: Int = 10_000) async -> [Detection] {
        for _ in 0..<(milliseconds / 10) {
            let found = calls.withLock { $0.filter { $0.callersAddress == address } }
            if !found.isEmpty { return found }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return []
    }

    /// The notices about a process.
    package func notices(of process: Int32) -> [KernelBackend.Notice] {
        notices.withLock {
            $0.filter { notice in
                switch notice {
                // Before its exec the process shares this one's address space, which other threads keep busy.
                case .uninspectable(_, let id, let name, _): id == process && name.hasPrefix("call-stub")
                case .unattributable(_, let id, _, _), .signalFailed(let id): id == process
                case .unreadable, .leftOver, .marksWithoutRoom, .marksRecovered: false
                }
            }
        }
    }
}

extension KernelBackend {
    /// A second backend, loaded on a thread of its own: loading would block one of the few threads that tests share.
    package static func another(
        _ policy: Policy, extraction: ExtractionSettings = .copy, places: Places = Places(),
        context: any ProcessContextProviding = NumbersOnly()
    ) async throws -> KernelBackend {
        try await withCheckedThrowingContinuation { continuation in
            Thread {
                continuation.resume(
                    with: Result {
                        try KernelBackend(
                            policy: policy, exclusions: ExclusionTable(), level: .tracepoints, extraction: extraction, places: places,
                            pinnedAt: nil,
                            beginsAtOnce: true,
                            context: context)
                    })
            }.start()
        }
    }
}

/// Whether this kernel can load the program, and why tests that need it are skipped.
package enum Kernel {
    package static let canLoad = geteuid() == 0 && access("/sys/kernel/btf/vmlinux", R_OK) == 0
    package static let readsPageTables = WrittenPages.current == .toldByKernel
    package static let why: Comment = "needs root and a kernel with type information (/sys/kernel/btf/vmlinux)"
}
