// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import KernelBackend
import KernelWatch
import TestSupport
import Testing

/// The matrix of the seccomp backend, reported by the tracepoint while the calls continue: the caller, its memory, its code.
@Suite(.enabled(if: Kernel.canLoad, Kernel.why)) struct KernelMatrixTests {
    static let cases =
        StubCase.all(places: StubCase.places + ["written-by-device"]).filter { !$0.hasToBeSettledAtOnce }
        + StubCase.all(places: StubCase.writtenFiles, calls: ["exec", "send"])

    @Test(arguments: cases) func `call from unbacked memory`(_ test: StubCase) async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: test.call.hasPrefix("send"))
        // An accept on a socket that does not listen fails anyway.
        let run = try await Fixtures.run("call-stub", [test.form, test.place, test.call, String(receiver.port)])
        let announced = Announcement(run.output)
        let address = try #require(announced.callersAddress, "output: \(run.output)")
        let found = test.isOfChild ? await watch.calls(from: address) : await watch.calls(of: run.processID)
        let call = try #require(found.first, "no report; output: \(run.output)")

        #expect(found.count == 1)
        #expect(call.call == test.critical)
        #expect(call.architecture == .x86_64)
        #expect(call.callersAddress == address)
        #expect(call.action == .watched)
        let base = try #require(announced.base)
        let offset = try #require(call.code.offset(of: base))
        #expect(Array(call.code.bytes[offset...].prefix(announced.code.count)) == announced.code)
        #expect(call.region.contains(base))
        #expect(call.evidence.first?.kind == test.kind)
        switch test.call {
        case "exec": #expect(call.arguments.path == "/bin/true")
        case "connect", "send", "sendmsg", "sendmmsg":
            #expect(call.arguments.peer == SocketEndpoint(address: "127.0.0.1", port: receiver.port))
        case "bind": #expect(call.arguments.local == SocketEndpoint(address: "127.0.0.1", port: 0))
        default: break
        }
        #expect(watch.notices(of: run.processID).isEmpty)
    }

    @Test(
        .enabled(if: Kernel.readsPageTables, "this kernel doesn't name page_offset_base in /proc/kallsyms: tested in qemu"),
        arguments: StubCase.forms)
    func `exec from a written page`(_ form: String) async throws {
        try await `call from unbacked memory`(StubCase(form: form, place: "written-page", call: "exec"))
        try await `call from unbacked memory`(StubCase(form: form, place: "written-by-device", call: "exec"))
    }

    @Test(arguments: ["exec", "connect", "send", "bind"]) func `32 bit call by 64 bit code`(_ call: String) async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: call == "send")
        let run = try await Fixtures.run("call-stub", ["int80", "low", call, String(receiver.port)])
        let announced = Announcement(run.output)
        let found = try #require(await watch.calls(of: run.processID).first, "no report; output: \(run.output)")
        #expect(found.callersAddress == announced.callersAddress)
        #expect(found.evidence.first?.kind == .directCall)
    }

    @Test func `call of a thread`() async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("call-stub", ["library", "anonymous", "send", String(receiver.port), "thread"])
        let found = try #require(await watch.calls(of: run.processID).first)
        #expect(found.callersAddress == Announcement(run.output).callersAddress)
    }

    /// Stale return addresses into the program itself are in the library's frame: only its unwind tables show that.
    @Test(arguments: ["send", "connect", "sendmsg"]) func `stale return addresses don't hide the caller`(_ call: String) async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: call != "connect")
        let run = try await Fixtures.run("call-stub", ["library", "anonymous", call, String(receiver.port), "stale"])
        let found = try #require(await watch.calls(of: run.processID).first, "no report; output: \(run.output)")
        #expect(found.callersAddress == Announcement(run.output).callersAddress)
        #expect(found.evidence.first?.kind == .libraryCall)
    }

    /// The child of posix_spawn makes the call on a stack of its own; the caller is on the stack of the waiting parent.
    @Test(arguments: [[], ["thread"], ["stale"]]) func `shell that a library starts for unbacked code`(_ more: [String]) async throws {
        let watch = try #require(Watch.shared)
        let run = try await Fixtures.run("call-stub", ["library", "anonymous", "system", "0"] + more)
        let expected = try #require(Announcement(run.output).callersAddress)
        for _ in 0..<300 where !watch.all.contains(where: { $0.callersAddress == expected }) {
            try await Task.sleep(for: .milliseconds(10))
        }
        let found = try #require(watch.all.first { $0.callersAddress == expected }, "no report; output: \(run.output)")
        #expect(found.call == .execve)
        #expect(found.arguments.path == "/bin/sh")
        #expect(found.evidence.first?.kind == .libraryCall)
    }

    /// Only the touched pages of a large mapping are present; the code is copied nevertheless.
    @Test(arguments: StubCase.forms) func `code among pages that are not there`(_ form: String) async throws {
        try await `call from unbacked memory`(StubCase(form: form, place: "large", call: "send"))
    }

    @Test func `code that sends itself`() async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let inBuffer = try await Fixtures.run("call-stub", ["datagram", "anonymous", "send", String(receiver.port)])
        let copied = try await Fixtures.run("call-stub", ["direct", "anonymous", "send-copy", String(receiver.port)])
        for run in [inBuffer, copied] {
            let found = try #require(await watch.calls(of: run.processID).first)
            #expect(found.evidence.contains { $0.kind == .sendsItself })
        }
    }

    @Test(arguments: ["write", "writev", "sendfile", "splice", "ring"], StubCase.forms)
    func `sends that are no socket calls`(_ call: String, _ form: String) async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("call-stub", [form, "anonymous", call, String(receiver.port)])
        let found = try #require(await watch.calls(of: run.processID).first, "no report; output: \(run.output)")
        #expect(found.callersAddress == Announcement(run.output).callersAddress)
        #expect(found.call == (call == "ring" ? .ioUringEnter : CriticalCall(rawValue: call)))
        #expect(found.evidence.first?.kind == (form == "direct" ? .directCall : .libraryCall))
        #expect(receiver.arrivals(datagrams: true) == 1, "it was watched only")
        if call != "ring" { #expect(found.arguments.peer == SocketEndpoint(address: "127.0.0.1", port: receiver.port)) }
    }

    /// The kernel may not have the interface: the call is judged before it refuses it.
    @Test(arguments: ["exec", "send", "connect"]) func `call by the x32 interface`(_ call: String) async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: call == "send")
        let run = try await Fixtures.run("call-stub", ["x32", "anonymous", call, String(receiver.port)])
        let found = try #require(await watch.calls(of: run.processID).first, "no report; output: \(run.output)")
        #expect(found.callersAddress == Announcement(run.output).callersAddress)
        #expect(found.evidence.first?.kind == .directCall)
        #expect(found.call == (call == "exec" ? .execve : call == "send" ? .sendto : .connect))
    }

    /// A harmless call first must not hide the code that makes the next one.
    @Test func `other code at the same place is reported`() async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("call-stub", ["change", "3", String(receiver.port)])
        let found = await watch.calls(of: run.processID, atLeast: 3)
        #expect(found.count == 3)
        #expect(Set(found.map(\.callersAddress)).count == 1)
        #expect(found.map { $0.code.bytes.last } == [0x90, 0x91, 0x92])
    }

    @Test func `one report of a loop`() async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let before = watch.backend.statistics.repeated
        let run = try await Fixtures.run("call-stub", ["repeat", "100", String(receiver.port)])
        #expect(await watch.calls(of: run.processID, atLeast: 2, milliseconds: 300).count == 1)
        #expect(watch.backend.statistics.repeated - before >= 99)
    }

    @Test func `ordinary images are silent`() async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("call-stub", ["bench", "1000", String(receiver.port)])
        #expect(run.status == 0)
        #expect(receiver.arrivals(datagrams: true) > 0)
        #expect(await watch.calls(of: run.processID, milliseconds: 200).isEmpty)
        #expect(watch.notices(of: run.processID).isEmpty)
    }
}

extension StubCase {
    /// Whether the page was written is checked in the kernel, or by the process's page map, which is gone after an exec.
    fileprivate var hasToBeSettledAtOnce: Bool { isWrittenPage && call == "exec" }
}
