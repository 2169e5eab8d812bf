// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel
import KernelWatch
import TestSupport
import Testing

@testable import KernelBackend

/// The policy as the kernel program has it, and what it makes of calls.
@Suite(.serialized) struct KernelPolicyTests {
    private static let policies = [
        Policy.default, Policy(action: .watch, blockAt: 10, reportAt: 1), Policy(action: .stop, blockAt: 100, reportAt: 100),
        Policy(applications: [
            .exec: ApplicationPolicy(action: .kill, weights: [.memoryFile: 80, .directCall: 0]), .send: ApplicationPolicy(isOn: false),
            .listen: ApplicationPolicy(action: .watch),
        ]),
    ]

    private func rule(_ policy: Policy, _ application: BlockingApplication, _ level: ProtectionLevel) -> epitope_rule {
        let rules = epitope_policy(policy, level: level).rules
        return switch application {
        case .exec: rules.0
        case .connect: rules.1
        case .send: rules.2
        case .listen: rules.3
        }
    }

    @Test(arguments: policies, BlockingApplication.allCases)
    func `the kernel acts and reports by the weights of the verdict`(_ policy: Policy, _ application: BlockingApplication) {
        for level in ProtectionLevel.allCases {
            let rule = rule(policy, application, level)
            #expect((rule.is_on != 0) == policy.isOn(application))
            for kind in EvidenceKind.allCases {
                let bit = epitope_policy.bits(of: [kind])
                let points = policy.isOn(application) ? policy.weight(of: kind, for: application) : 0
                #expect((rule.act_on & bit != 0) == (points >= policy.blockAt && points > 0), "\(kind)")
                #expect((rule.report_on & bit != 0) == (points >= policy.reportAt && points > 0), "\(kind)")
            }
            let denies = policy.isOn(application) && policy.action(for: application) != .watch
            #expect((rule.answer != EPITOPE_ANSWER_PASSED.rawValue) == denies)
            #expect(rule.cuts == 0)
        }
    }

    @Test func `whose code is cut is stopped for it, and denied where nobody would continue it`() {
        let rule = epitope_policy(.default, level: .hooks, extraction: .cut).rules.2
        #expect(rule.answer == EPITOPE_ANSWER_STOPPED.rawValue && rule.answer_without_agent == EPITOPE_ANSWER_DENIED.rawValue)
        #expect(rule.cuts == 1)
        let watching = epitope_policy(Policy(action: .watch), level: .hooks, extraction: .cut).rules.2
        #expect(watching.answer == EPITOPE_ANSWER_PASSED.rawValue && watching.cuts == 0)
    }

    /// On this machine's own kernel, where calls are watched.
    @Test(.enabled(if: Kernel.canLoad, Kernel.why)) func `calls of an application that is off are not looked at`() async throws {
        let policy = Policy(
            action: .watch,
            applications: [.send: ApplicationPolicy(isOn: false), .connect: ApplicationPolicy(weights: [.directCall: 70])])
        let backend = try await KernelBackend.another(policy)
        defer { backend.stop() }
        let receiver = Receiver(datagrams: true)
        let sent = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", String(receiver.port)])
        #expect(receiver.arrivals(datagrams: true) == 1)
        let connected = try await Fixtures.run("call-stub", ["direct", "anonymous", "connect", "9"])
        // Reports come in the order of the calls.
        for await report in backend.reports {
            report.acknowledge()
            let found = report.detection
            #expect(found.process.processID != sent.processID, "it was reported")
            guard found.process.processID == connected.processID else { continue }
            #expect(found.call == .connect && found.points == 70)
            #expect(found.applications == [.exec, .connect, .listen])
            break
        }
    }

    @Test(.enabled(if: Kernel.canLoad, Kernel.why)) func `so much code is reported as was asked for`() async throws {
        let extraction = ExtractionSettings(amounts: ExtractionAmounts(maxWholeBytes: 1024, sideBytes: 300))
        let backend = try await KernelBackend.another(Policy(action: .watch), extraction: extraction)
        defer { backend.stop() }
        let run = try await Fixtures.run("call-stub", ["direct", "large", "connect", "9"])
        for await report in backend.reports {
            report.acknowledge()
            guard report.detection.process.processID == run.processID else { continue }
            #expect(report.detection.code.base == report.detection.callersAddress - 300)
            #expect(report.detection.code.bytes.count == 600)
            break
        }
    }
}
