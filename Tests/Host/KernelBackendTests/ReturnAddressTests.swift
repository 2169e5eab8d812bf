// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import KernelBackend
import KernelWatch
import TestSupport
import Testing

/// Ways of entering the C library with a return address of one's choice, reported by the tracepoint while the calls continue.
/// `DenyingLevelTests` checks that hooks deny them.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct ReturnAddressTests {
    @Test(arguments: ReturnCase.all(calls: ["connect", "sendto", "sendmsg", "write", "execve"]).filter(\.isJudgedByKernel))
    func `a return address of ones choice`(_ test: ReturnCase) async throws {
        let watch = try #require(Watch.shared)
        let before = watch.all.count
        let receiver = Receiver(datagrams: test.sendsDatagrams)
        let run = try await Fixtures.run("return-stub", test.arguments(port: receiver.port))
        // Reports come in the order of the calls.
        let mark = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "9"])
        #expect(await watch.calls(of: mark.processID).count == 1)
        let found = watch.all.dropFirst(before).filter { test.isOf($0, run.processID) && $0.call == test.critical }
        switch test.outcomeInKernel {
        case .blocked(let kind), .reported(let kind):
            let call = try #require(found.first, "no report; output: \(run.output) \(run.errors)")
            #expect(call.evidence.first?.kind == kind, "\(call.evidence)")
            if kind == .libraryCall { #expect(call.callersAddress == Announcement(run.output).callersAddress || test.callsBack) }
        case .unseen: #expect(found.isEmpty, "\(found.map(\.evidence))")
        }
        #expect(watch.notices(of: run.processID).isEmpty)
    }
}

extension ReturnCase {
    /// The caller's address lies behind the library's own calls.
    fileprivate var callsBack: Bool { ["sort", "long-path"].contains(way) }
    /// Whether a report is of a case's process, or of the child that the library started for it.
    fileprivate func isOf(_ report: Detection, _ processID: Int32) -> Bool {
        report.process.processID == processID || way == "image-thread"
    }
}
