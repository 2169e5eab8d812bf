// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Testing

/// Applications of behaviour blocking, each on or off, with its own action and weights.
@Suite struct ApplicationPolicyTests {
    @Test(arguments: [
        (CriticalCall.execve, BlockingApplication.exec), (.execveat, .exec), (.connect, .connect), (.sendto, .send), (.sendmmsg, .send),
        (.write, .send), (.ioUringEnter, .send), (.bind, .listen), (.listen, .listen), (.accept, .listen), (.accept4, .listen),
    ]) func `each critical call is of one application`(_ call: CriticalCall, _ application: BlockingApplication) {
        #expect(call.application == application)
        // Off: nothing of it is seen, and every other one is as before.
        for other in BlockingApplication.allCases {
            let verdict = Policy(applications: [other: ApplicationPolicy(isOn: false)]).judge(VerdictTests.direct(.anonymous, call))
            #expect(verdict.denies == (other != application))
            #expect(verdict.isReported == (other != application))
            #expect(verdict.evidence.isEmpty == (other == application))
        }
    }

    @Test func `calls into other processes are of none, and always judged`() {
        let off = Policy(
            applications: Dictionary(uniqueKeysWithValues: BlockingApplication.allCases.map { ($0, ApplicationPolicy(isOn: false)) }))
        #expect(CriticalCall.ptrace.application == nil)
        #expect(off.judge(VerdictTests.direct(.anonymous, .ptrace)).denies)
        #expect(off.applicationsOn == [])
    }

    @Test func `each has its own action`() {
        let policy = Policy(
            action: .block, applications: [.listen: ApplicationPolicy(action: .watch), .exec: ApplicationPolicy(action: .kill)])
        func action(_ call: CriticalCall) -> ProtectiveAction { policy.judge(VerdictTests.direct(.anonymous, call)).action }
        #expect(action(.execve) == .killed)
        #expect(action(.sendto) == .blocked)
        #expect(action(.bind) == .watched)
        #expect(policy.judge(VerdictTests.direct(.anonymous, .bind)).isReported)
        #expect(!policy.onlyWatches)
        #expect(policy.mappingActions { $0 == .block || $0 == .kill ? .watch : $0 }.onlyWatches)
    }

    @Test func `each has its own weights, and the strongest evidence is told first`() {
        let policy = Policy(applications: [
            .listen: ApplicationPolicy(weights: [.directCall: 50]), .send: ApplicationPolicy(weights: [.directCall: 0, .sendsItself: 90]),
            .connect: ApplicationPolicy(weights: [.memoryFile: 80]),
        ])
        let served = policy.judge(VerdictTests.direct(.anonymous, .accept))
        #expect(!served.denies && served.isReported && served.points == 50)
        let sent = policy.judge(VerdictTests.direct(.anonymous, .sendto))
        #expect(!sent.denies && !sent.isReported && sent.points == 0)
        var itself = VerdictTests.direct(.stack, .sendto)
        itself.sendBuffer = SendBuffer(messages: [[.init(address: 0x3000, length: 0x42, bytes: [])]])
        let worm = policy.judge(itself)
        #expect(worm.denies && worm.points == 90)
        #expect(worm.evidence.map(\.kind) == [.sendsItself, .directCall])
        let file = MemoryBacking.memoryFile(name: "/memfd:x (deleted)")
        #expect(policy.judge(VerdictTests.direct(file, .connect)).denies)
        #expect(!policy.judge(VerdictTests.direct(file, .execve)).denies)
        // Evidence of no weight is never acted upon, however low the bounds.
        let low = Policy(blockAt: 0, reportAt: 0, applications: policy.applications)
        #expect(!low.judge(VerdictTests.direct(.anonymous, .sendto)).denies)
    }

    @Test func `what differs is said in words`() {
        #expect(Policy.default.applicationsInWords == nil)
        let policy = Policy(applications: [
            .listen: ApplicationPolicy(isOn: false), .exec: ApplicationPolicy(action: .kill, weights: [.memoryFile: 80]),
        ])
        #expect(policy.applicationsInWords == "exec: kill, call-from-memory-file 80 points; listen: off")
        #expect(BlockingApplication.word(policy.applicationsOn) == "exec+connect+send")
        #expect(BlockingApplication.word([]) == "none")
    }
}
