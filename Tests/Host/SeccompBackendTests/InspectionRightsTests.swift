// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import ProcessInspection
import TestSupport
import Testing

@testable import SeccompBackend

/// What the kernel lets a supervisor inspect: Yama's rule, and the process table of a PID namespace.
@Suite struct InspectionRightsTests {
    private static let root = "Name:\tepitope\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n"
    private static let user = "Name:\tepitope\nCapInh:\t0000000000000000\nCapEff:\t0000000000000000\n"

    @Test(
        arguments: [
            (nil, user, InspectionRights.ordinary), ("0\n", user, .ordinary), ("1\n", user, .descendants), ("1\n", root, .ordinary),
            ("1\n", nil, .descendants), ("2\n", user, .none(scope: 2, rootMay: true)), ("2\n", root, .ordinary),
            ("3\n", user, .none(scope: 3, rootMay: false)), ("3\n", root, .none(scope: 3, rootMay: false)),
        ] as [(String?, String?, InspectionRights)])
    func `by Yama's setting and the rights of the supervisor`(scope: String?, status: String?, expected: InspectionRights) {
        #expect(InspectionRights(scope: scope, status: status) == expected)
    }

    @Test func `where nothing may be inspected a command is refused with the reason`() throws {
        for (rights, remedy) in [
            (InspectionRights.none(scope: 2, rootMay: true), "as root"), (.none(scope: 3, rootMay: false), "epitope agent"),
        ] {
            let error = #expect(throws: EpitopeError.self) { try rights.requireAny(for: Command("true")) }
            #expect(error?.code == .inspectionNotPermitted)
            #expect(error?.remedy.contains(remedy) == true)
        }
    }

    @Test func `a process table of another namespace is refused`() throws {
        try ProcessTable.requireOwn()
        let cases: [(String?, String)] = [("4711", "where this process is 4711 instead of 1"), (nil, "doesn't show this process (1)")]
        for (own, text) in cases {
            let error = #expect(throws: EpitopeError.self) { try ProcessTable.requireOwn(own, processID: 1) }
            #expect(error?.code == .foreignProc)
            #expect(error?.message.contains(text) == true)
        }
    }

    private static let needsRoot: Comment = "PID namespaces are made by root: run the tests as root"

    /// The supervisor in a PID namespace: refused with the outer namespace's table, right with its own.
    @Test(.enabled(if: getuid() == 0, needsRoot)) func `in a PID namespace the supervisor needs that namespace's table`() async throws {
        let receiver = Receiver(datagrams: true)
        let command = [Fixtures.path("protect"), Fixtures.path("call-stub"), "library", "heap", "send", String(receiver.port)]
        let without = try await TestSupport.Command.run(
            "/usr/bin/unshare", ["--fork", "--pid"] + command, environment: Fixtures.environment)
        #expect(without.status == 96 && without.errors.contains("[foreign-proc]"), "\(without.output)\(without.errors)")
        let with = try await TestSupport.Command.run(
            "/usr/bin/unshare", ["--fork", "--pid", "--mount-proc"] + command, environment: Fixtures.environment)
        #expect(Announcement(with.output).errno == EPERM && with.errors.contains("blocked sendto"), "\(with.output)\(with.errors)")
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    /// The command in a PID namespace, or two: it knows itself by other numbers than its supervisor does.
    @Test(.enabled(if: getuid() == 0, needsRoot), arguments: [1, 2]) func `a command in a PID namespace of its own is inspected`(depth: Int)
        async throws
    {
        let receiver = Receiver(datagrams: true)
        let unshare = Array(repeating: ["unshare", "--fork", "--pid", "--mount-proc"], count: depth).flatMap { $0 }
        let run = try await ProtectedRun.command(
            unshare[0], Array(unshare.dropFirst()) + [Fixtures.path("call-stub"), "library", "anonymous", "send", String(receiver.port)])
        #expect(run.announcement.errno == EPERM, "\(run.output)")
        #expect(receiver.arrivals(datagrams: true) == 0)
        let detection = try #require(run.detections.first)
        #expect(run.detections.count == 1 && detection.callersAddress == run.announcement.callersAddress)
        #expect(detection.process.processID != run.announcement.processID, "the number of the supervisor's own namespace")
    }
}
