// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Glibc
import Testing

@testable import SeccompBackend

/// Of a program that waits in a critical call: what its path is recognised by.
@Suite struct KnownPathTests {
    private let child: Child
    private let call: PendingCall
    private let stackPointer: UInt64
    private let inspector = Inspector(wantsDeeper: false, since: WatchStart())

    init() async throws {
        child = try Child(
            ["/usr/bin/python3", "-c", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); s.accept()"],
            sleeps: false)
        var call: PendingCall?
        for _ in 0..<1000 where call == nil {
            try await Task.sleep(for: .milliseconds(10))
            call = PendingCall(waitingIn: child.pid)
        }
        self.call = try #require(call)
        var registers = epitope_registers()
        try #require(epitope_read_registers(child.pid, &registers) == 0)
        stackPointer = registers.stack_pointer
        #expect(["accept", "accept4"].contains(self.call.kind.rawValue))
    }

    private func kept() throws -> KnownPath {
        for _ in 0..<KnownPaths.firstKept { #expect(try inspector.observe(call) == nil) }
        let paths = try #require(inspector.threads[child.pid]).paths.paths
        #expect(paths.count == 1)
        return try #require(paths.first)
    }

    private func isRecognised(hasOneThread: Bool = true) throws -> Bool {
        try #require(inspector.threads[child.pid]).paths
            .contain(call, stackPointer: stackPointer, KnownPath.Room(), hasOneThread: hasOneThread)
    }

    /// Changes a byte of the program, does the work, and changes it back.
    private func changing(_ address: UInt64, _ work: () throws -> Void) throws {
        var byte: UInt8 = 0
        try #require(epitope_read_memory(child.pid, address, &byte, 1) == 1)
        var other = byte ^ 0x55
        try #require(epitope_write_memory(child.pid, address, &other, 1) == 1)
        try work()
        try #require(epitope_write_memory(child.pid, address, &byte, 1) == 1)
    }

    @Test func `path is kept once a process has made a few calls, and recognised then`() throws {
        for _ in 1..<KnownPaths.firstKept {
            #expect(try inspector.observe(call) == nil)
            #expect(inspector.threads[child.pid]?.paths.paths.isEmpty == true)
        }
        #expect(try inspector.observe(call) == nil)
        #expect(inspector.threads[child.pid]?.paths.paths.count == 1)
        #expect(try isRecognised())
    }

    @Test func `code that was written is not recognised, and found`() throws {
        let path = try kept()
        #expect(!path.pageAddresses.isEmpty)
        for page in path.pageAddresses {
            try changing(page) { () throws in
                #expect(try !isRecognised())
                // The window of the longest call instruction may begin a page before the instruction that is there.
                let returns = [call.instructionPointer] + path.words.map(\.value)
                guard returns.contains(where: { ($0 - 1) / UInt64(CodePage.size) == page / UInt64(CodePage.size) }) else { return }
                #expect(try inspector.observe(call)?.unbackedCaller?.region.contains(page) == true)
            }
            // What stands in memory and equals the file is the file.
            #expect(try isRecognised())
        }
    }

    @Test func `another return address is not recognised`() throws {
        let path = try kept()
        #expect(!path.words.isEmpty)
        for word in path.words {
            try changing(stackPointer + UInt64(word.offset)) { () throws in #expect(try !isRecognised()) }
            #expect(try isRecognised())
        }
    }

    @Test func `another call by the same way is not recognised, nor one from elsewhere`() throws {
        _ = try kept()
        let files = try #require(inspector.threads[child.pid])
        func isRecognised(stackPointer: UInt64, _ change: (inout PendingCall) -> Void = { _ in }) -> Bool {
            var other = call
            change(&other)
            return files.paths.contain(other, stackPointer: stackPointer, KnownPath.Room(), hasOneThread: true)
        }
        #expect(isRecognised(stackPointer: stackPointer))
        #expect(!isRecognised(stackPointer: stackPointer) { $0.number += 1 })
        #expect(!isRecognised(stackPointer: stackPointer) { $0.instructionPointer += 2 })
        #expect(!isRecognised(stackPointer: stackPointer - 8))
        #expect(!isRecognised(stackPointer: 8))
    }

    @Test func `path that ends at the caller says nothing while another thread may change the stack`() throws {
        let path = try kept()
        let pages = try path.pageAddresses.map { address in
            var bytes = [UInt8](repeating: 0, count: CodePage.size)
            try #require(epitope_read_memory(child.pid, address, &bytes, bytes.count) == bytes.count)
            return (address: address, page: CodePage(bytes))
        }
        let short = KnownPath(
            number: call.number, instructionPointer: call.instructionPointer, words: [path.words[0]], pages: pages, needsOneThread: true)
        var paths = KnownPaths()
        for _ in 0..<KnownPaths.firstKept { paths.keep(call, stackPointer: stackPointer, KnownPath.Room()) { short } }
        let isOfOne = paths.contain(call, stackPointer: stackPointer, KnownPath.Room(), hasOneThread: true)
        let isOfSeveral = paths.contain(call, stackPointer: stackPointer, KnownPath.Room(), hasOneThread: false)
        #expect(isOfOne && !isOfSeveral)
    }

    @Test func `path beyond its bounds is none`() {
        let page = (address: UInt64(0x1000), page: CodePage([]))
        func path(_ offsets: [Int], pages: Int = 1) -> KnownPath? {
            KnownPath(
                number: 1, instructionPointer: 2, words: offsets.map { KnownPath.Word(offset: $0, value: 3) },
                pages: Array(repeating: page, count: pages), needsOneThread: false)
        }
        #expect(path([0]) != nil && path([KnownPath.maxStackBytes - 8]) != nil)
        #expect(path([]) == nil && path([-8]) == nil && path([KnownPath.maxStackBytes - 7]) == nil)
        #expect(path(Array(repeating: 0, count: KnownPath.maxWords + 1)) == nil)
        #expect(path([0], pages: 0) == nil && path([0], pages: KnownPath.maxPages + 1) == nil)
    }
}
