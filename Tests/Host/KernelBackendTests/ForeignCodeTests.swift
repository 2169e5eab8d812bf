// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import KernelBackend
import KernelWatch
import TestSupport
import Testing

/// Code that another process injects into an innocent one; and 32-bit programs.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct ForeignCodeTests {
    @Test(arguments: InjectionCase.all) func `code that another process wrote`(_ test: InjectionCase) async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("inject-stub", [test.way, test.place, String(receiver.port)])
        let announced = Announcement(run.output)
        let target = try #require(announced.processID, "output: \(run.output) \(run.errors)")
        #expect(receiver.arrivals(datagrams: true) == 1, "it was watched only")
        let call = try #require(await watch.calls(of: target).first, "no report; output: \(run.output)")
        #expect(call.call == .sendto)
        #expect(call.callersAddress == announced.callersAddress)
        #expect(call.evidence.first?.kind == test.kind)
        let base = try #require(announced.base)
        let offset = try #require(call.code.offset(of: base))
        #expect(Array(call.code.bytes[offset...].prefix(announced.code.count)) == announced.code)
        #expect(call.arguments.peer == SocketEndpoint(address: "127.0.0.1", port: receiver.port))
    }

    /// The page is mapped by the oldest mmap, or attached through `ipc`.
    @Test(arguments: [[], ["segment"]]) func `thirty two bit program`(_ arguments: [String]) async throws {
        let watch = try #require(Watch.shared)
        let program = try await Program32Bit()
        let run = try await Command.run(program.path, arguments)
        guard run.status != 128 + 11 else {
            print("left out: this kernel doesn't run 32-bit programs")
            return
        }
        #expect(run.status == 0, "it was watched only")
        let found = await watch.calls(of: run.processID, atLeast: 4)
        #expect(found.map { $0.callersAddress - $0.region.start } == Program32Bit.callers.map(\.offset))
        #expect(found.map(\.evidence.first?.kind) == Program32Bit.callers.map(\.kind))
        for call in found {
            #expect(call.call == .connect && call.architecture == .x86_32)
            #expect(call.arguments.peer == SocketEndpoint(address: "127.0.0.1", port: 9))
        }
    }
}
