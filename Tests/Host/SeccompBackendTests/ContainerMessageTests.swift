// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import TestSupport
import Testing

@testable import SeccompBackend

/// What runtimes send, and what others might.
@Suite struct ContainerMessageTests {
    private static let id = String(repeating: "0123456789abcdef", count: 4)
    /// As runc 1.1 has it.
    private static let runc = """
        {"ociVersion":"1.0.2-dev","fds":["seccompFd"],"pid":18877,"metadata":"epitope","state":{"ociVersion":"1.0.2-dev",\
        "id":"\(id)","status":"creating","pid":18877,"bundle":"/run/b","annotations":{"a/b":"c \\"{}\\" d"}}}
        """
    /// As crun 1.8 has it.
    private static let crun = """
        {
            "ociVersion": "0.2.0",
            "fds": [
                "seccompFd"
            ],
            "pid": 19767,
            "state": {
                "ociVersion": "0.2.0",
                "id": "c-x",
                "status": "creating",
                "pid": 19767,
                "bundle": "/run/b"
            }
        }

        """

    @Test func `runtimes messages are read`() throws {
        let (first, listener) = try ContainerProcessState.read(Array(Self.runc.utf8), descriptors: 1)
        #expect(listener == 0)
        #expect(
            first
                == ContainerProcessState(
                    processID: 18877, metadata: "epitope", containerID: Self.id, bundle: "/run/b", annotations: ["a/b": "c \"{}\" d"]))
        let (second, _) = try ContainerProcessState.read(Array(Self.crun.utf8), descriptors: 1)
        #expect(second == ContainerProcessState(processID: 19767, containerID: "c-x", bundle: "/run/b"))
    }

    @Test func `the listener is found among other descriptors`() throws {
        let text = Self.runc.replacing("[\"seccompFd\"]", with: "[\"pidFd\",\"seccompFd\"]")
        #expect(try ContainerProcessState.read(Array(text.utf8), descriptors: 2).listener == 1)
    }

    @Test(arguments: [
        ("", ""), ("\"pid\":18877,\"meta", "\"pid\":0,\"meta"), ("\"pid\":18877,\"meta", "\"pid\":-5,\"meta"),
        ("\"pid\":18877,\"meta", "\"pid\":99999999999,\"meta"), ("\"pid\":18877,\"meta", "\"meta"),
        ("\"id\":\"\(id)\"", "\"id\":\"\""), ("\"id\":\"\(id)\"", "\"id\":7"), ("\"id\":\"\(id)\",", ""),
        ("[\"seccompFd\"]", "[]"), ("[\"seccompFd\"]", "[\"other\"]"), ("[\"seccompFd\"]", "\"seccompFd\""),
        ("{\"a/b\":\"c \\\"{}\\\" d\"}", "{\"a\":1}"), ("\"state\":{", "\"state\":["),
    ]) func `messages that cannot be used are refused`(_ change: (String, String)) {
        let text = change.0.isEmpty ? "" : Self.runc.replacing(change.0, with: change.1)
        #expect(text != Self.runc)
        #expect { try ContainerProcessState.read(Array(text.utf8), descriptors: 1) } throws: {
            ($0 as? EpitopeError)?.code == .containerStateMalformed
        }
    }

    @Test func `a message without its descriptors is refused`() {
        for count in [0, 2] {
            #expect(throws: EpitopeError.self) { try ContainerProcessState.read(Array(Self.runc.utf8), descriptors: count) }
        }
        let twice = Self.runc.replacing("[\"seccompFd\"]", with: "[\"seccompFd\",\"seccompFd\"]")
        #expect(throws: EpitopeError.self) { try ContainerProcessState.read(Array(twice.utf8), descriptors: 2) }
    }

    @Test func `changed bytes are read or refused but never harmful`() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<3000 {
            var bytes = Array(Self.runc.utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(contentsOf: bytes[place...].prefix(9), at: place)
                }
            }
            if let read = try? ContainerProcessState.read(bytes, descriptors: 1) {
                #expect(read.state.processID > 0 && !read.state.containerID.isEmpty && read.listener == 0)
            }
        }
        let deep = Array(String(repeating: "{\"state\":", count: 100_000).utf8)
        #expect(throws: EpitopeError.self) { try ContainerProcessState.read(deep, descriptors: 1) }
    }

    @Test func `the end of a message is seen however it comes in pieces`() {
        for text in [Self.runc, Self.crun, "{}", "{\"a\":\"\\\\\\\"}\",\"b\":[{}]}"] {
            let bytes = Array(text.utf8)
            let last = bytes.lastIndex(of: UInt8(ascii: "}")) ?? 0
            for cut in 0...bytes.count {
                var end = MessageEnd()
                end.scan(bytes[..<cut])
                #expect(end.isComplete == (cut > last) && !end.isMalformed, "\(text) at \(cut)")
                end.scan(bytes[cut...])
                #expect(end.isComplete && !end.isMalformed)
            }
        }
        for text in ["[", "x", "}", "{} {", "\"{\"", "1"] {
            var end = MessageEnd()
            end.scan(Array(text.utf8))
            #expect(end.isMalformed, "\(text)")
        }
    }

    @Test func `only the runtimes own exec is the containers start`() {
        let runtime = ContainerStart.Program(device: 1, inode: 7)
        let program = ContainerStart.Program(device: 1, inode: 8)
        func answers(_ programs: ContainerStart.Program?...) -> [Bool] {
            var start = ContainerStart()
            return programs.map { start.isRuntimesExec($0) }
        }
        #expect(answers(runtime, runtime) == [true, true], "a name that was not in the first folder")
        #expect(answers(runtime, program, runtime) == [true, false, false], "never again")
        #expect(answers(nil, runtime) == [false, false], "it had gone")
        #expect(ContainerStart.isExpected([Evidence(kind: .memoryFile, detail: "")]))
        #expect(ContainerStart.isExpected([Evidence(kind: .memoryFile, detail: ""), Evidence(kind: .deeperInStack, detail: "")]))
        #expect(!ContainerStart.isExpected([Evidence(kind: .memoryFile, detail: ""), Evidence(kind: .directCall, detail: "")]))
    }

    @Test func `reported calls are remembered up to a bound`() {
        var calls = ReportDeduplicator()
        func key(_ number: Int) -> ReportKey { .init(thread: Int32(number), callersAddress: 1, kind: .sendto) }
        for number in 0..<ReportDeduplicator.maxKeys + 10 {
            calls.insert(key(number))
            calls.insert(key(number))
        }
        #expect(!calls.contains(key(9)) && calls.contains(key(10)) && calls.contains(key(ReportDeduplicator.maxKeys + 9)))
        #expect(!calls.contains(.init(thread: 10, callersAddress: 1, kind: .connect)))
    }
}
