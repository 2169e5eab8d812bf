// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Testing

@Suite struct VerdictTests {
    static func region(_ start: UInt64, _ backing: MemoryBacking) -> MemoryRegion {
        MemoryRegion(start: start, end: start + 0x1000, protection: [.read, .execute], backing: backing)
    }

    static let library = region(0x7000, .image(path: "/lib/libc.so.6"))
    static let program = Observation.ReturnAddress(address: 0x1234, region: region(0x1000, .image(path: "/bin/program")))

    static func direct(_ backing: MemoryBacking, _ call: CriticalCall = .connect) -> Observation {
        Observation(architecture: .x86_64, call: call, instructionPointer: 0x3042, region: region(0x3000, backing))
    }

    static func library(_ callers: [MemoryBacking], _ call: CriticalCall = .connect) -> Observation {
        Observation(
            architecture: .x86_64, call: call, instructionPointer: 0x7010, region: library,
            returnAddresses: callers.enumerated().map { index, backing in
                let start = UInt64(0x3000 + index * 0x1000)
                return .init(address: start + 0x42, region: region(start, backing))
            })
    }

    @Test func `call from backed memory goes on unreported`() {
        let verdict = Policy.default.judge(Self.library([.image(path: "/bin/program")]))
        #expect(!verdict.denies && !verdict.isReported && verdict.evidence == [])
        #expect(verdict.callersAddress == 0x7010)
    }

    @Test(arguments: [MemoryBacking.anonymous, .stack, .heap]) func `direct call from unbacked memory is blocked`(_ backing: MemoryBacking)
    {
        let verdict = Policy.default.judge(Self.direct(backing))
        #expect(verdict.action == .blocked && verdict.isReported)
        #expect(verdict.evidence.map(\.kind) == [.directCall])
        #expect(verdict.callersAddress == 0x3042)
    }

    @Test func `library call from unbacked memory is blocked with the return address as caller`() {
        let verdict = Policy.default.judge(Self.library([.heap, .image(path: "/bin/program")]))
        #expect(verdict.action == .blocked)
        #expect(verdict.evidence.map(\.kind) == [.libraryCall])
        #expect(verdict.callersAddress == 0x3042)
        #expect(verdict.region.backing == .heap)
    }

    @Test func `written image page is blocked and memory file only reported`() {
        let written = Policy.default.judge(Self.direct(.writtenImagePage(path: "/bin/program")))
        #expect(written.action == .blocked)
        #expect(written.evidence.map(\.kind) == [.writtenImagePage])
        let memoryFile = Policy.default.judge(Self.library([.memoryFile(name: "/memfd:x (deleted)")]))
        #expect(memoryFile.action == .watched && memoryFile.isReported && !memoryFile.denies)
        #expect(memoryFile.evidence.map(\.kind) == [.memoryFile])
    }

    @Test func `unbacked memory behind a backed caller is neither reported nor blocked`() {
        let observation = Self.library([.image(path: "/lib/jni.so"), .anonymous])
        let verdict = Policy.default.judge(observation)
        #expect(verdict.evidence.map(\.kind) == [.deeperInStack])
        #expect(!verdict.isReported && !verdict.denies)
        #expect(Policy(reportAt: 10).judge(observation).isReported)
        #expect(Policy(blockAt: 10).judge(observation).action == .blocked)
    }

    @Test func `call after the edge of a policy is treated by its own weight`() {
        #expect(!Policy(blockAt: 101).judge(Self.direct(.anonymous)).denies)
        #expect(Policy(blockAt: 100).judge(Self.direct(.anonymous)).denies)
        // No evidence is never acted upon, however low the bounds.
        let none = Policy(blockAt: 0, reportAt: 0).judge(Self.library([]))
        #expect(!none.denies && !none.isReported)
    }

    @Test(arguments: zip(Policy.Action.allCases, [ProtectiveAction.blocked, .stopped, .killed, .watched]))
    func `policy chooses the action`(_ action: Policy.Action, _ expected: ProtectiveAction) {
        let verdict = Policy(action: action).judge(Self.direct(.anonymous))
        #expect(verdict.action == expected && verdict.isReported)
        #expect(verdict.denies == (action != .watch))
    }

    @Test func `caller in its send buffer sends itself`() {
        var observation = Self.direct(.stack, .sendto)
        observation.sendBuffer = SendBuffer(messages: [[.init(address: 0x3000, length: 0x42, bytes: [])]])
        let verdict = Policy.default.judge(observation)
        #expect(verdict.evidence.map(\.kind) == [.directCall, .sendsItself])
        observation.sendBuffer = SendBuffer(messages: [[.init(address: 0x3042, length: 0x42, bytes: [])]])
        #expect(Policy.default.judge(observation).evidence.map(\.kind) == [.directCall])
    }

    @Test func `copy of the caller in the send buffer sends itself though it is split over pieces`() {
        let code = (0..<32).map { UInt8($0 * 7 % 251) }
        var observation = Self.direct(.memoryFile(name: "/memfd:x (deleted)"), .sendmsg)
        observation.callersCode = [code]
        let pieces = [
            SendBuffer.Piece(address: 0x9000, length: 20, bytes: [0, 0, 0, 0] + code[..<16]),
            SendBuffer.Piece(address: 0xA000, length: 16, bytes: Array(code[16...])),
        ]
        observation.sendBuffer = SendBuffer(messages: [[], pieces])
        let verdict = Policy.default.judge(observation)
        #expect(verdict.evidence.map(\.kind) == [.sendsItself, .memoryFile])
        #expect(verdict.action == .blocked)
        // Two messages are not one run of bytes.
        observation.sendBuffer = SendBuffer(messages: pieces.map { [$0] })
        #expect(Policy.default.judge(observation).action == .watched)
    }

    @Test func `buffers that reach around the address space do not trap`() {
        let buffer = SendBuffer(messages: [
            [.init(address: .max, length: .max, bytes: []), .init(address: 0, length: .max, bytes: [])]
        ])
        #expect(buffer.length == .max)
        #expect(buffer.contains(callersAddress: 5))
        #expect(!buffer.contains(code: [1]) && !buffer.contains(code: []))
    }

    @Test func `excluded evidence does not count and is kept`() {
        let observation = Self.library([.anonymous, .image(path: "/bin/program")])
        let verdict = Policy.default.judge(observation, excluding: [.libraryCall])
        #expect(!verdict.denies && !verdict.isReported && verdict.evidence.isEmpty)
        #expect(verdict.excluded.map(\.kind) == [.libraryCall])
        let other = Policy.default.judge(observation, excluding: [.directCall, .memoryFile])
        #expect(other.denies && other.excluded.isEmpty)
    }

    @Test func `exclusions are looked up once and only for a call that would be reported or acted upon`() {
        var lookUps = 0
        func lookUp() -> Set<EvidenceKind> {
            lookUps += 1
            return [.directCall]
        }
        let policy = Policy.default
        let excluded = policy.judge(Self.direct(.anonymous), lookingUpExclusions: lookUp)
        #expect(!excluded.isReported && excluded.excluded.map(\.kind) == [.directCall] && lookUps == 1)
        #expect(policy.judge(Self.library([.anonymous]), lookingUpExclusions: lookUp).denies && lookUps == 2)
        _ = policy.judge(Self.library([.image(path: "/lib/jni.so"), .anonymous]), lookingUpExclusions: lookUp)
        _ = policy.judge(Self.library([]), lookingUpExclusions: lookUp)
        #expect(lookUps == 2)
    }

    /// An exclusion for one kind leaves the others: code of a just-in-time compiler that sends itself is none.
    @Test func `an exclusion covers one kind only`() {
        var observation = Self.direct(.anonymous, .sendto)
        observation.sendBuffer = SendBuffer(messages: [[.init(address: 0x3000, length: 0x100, bytes: [])]])
        let verdict = Policy.default.judge(observation, excluding: [.directCall])
        #expect(verdict.denies)
        #expect(verdict.evidence.map(\.kind) == [.sendsItself])
        #expect(verdict.callersAddress == 0x3042)
    }
}
