// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel

extension epitope_policy {
    /// What the kernel program does about each kind of evidence, by the weights that the verdict uses (``EvidenceKind``); tests
    /// compare both.
    ///
    /// - Parameter extraction: code that is to be overwritten is so while its process is stopped.
    init(_ policy: Policy, level: ProtectionLevel, extraction: ExtractionMode = .copy) {
        self.init()
        func rule(_ application: BlockingApplication) -> epitope_rule { epitope_rule(policy, application, level, extraction) }
        rules = (rule(.exec), rule(.connect), rule(.send), rule(.listen))
        boot_time = BootClock.start()
    }

    /// The bits of kinds of evidence.
    static func bits(of kinds: Set<EvidenceKind>) -> UInt32 {
        bits.reduce(0) { kinds.contains($1.0) ? $0 | $1.1 : $0 }
    }

    /// The kinds that bits stand for.
    static func kinds(of bits: UInt32) -> Set<EvidenceKind> {
        Set(Self.bits.filter { bits & $0.1 != 0 }.map(\.0))
    }

    fileprivate static let bits: [(EvidenceKind, UInt32)] = [
        (.directCall, EPITOPE_KIND_DIRECT.rawValue), (.libraryCall, EPITOPE_KIND_LIBRARY.rawValue),
        (.writtenImagePage, EPITOPE_KIND_WRITTEN_IMAGE.rawValue), (.memoryFile, EPITOPE_KIND_MEMORY_FILE.rawValue),
        (.deeperInStack, EPITOPE_KIND_DEEPER.rawValue), (.unattributable, EPITOPE_KIND_UNATTRIBUTABLE.rawValue),
        (.sendsItself, EPITOPE_KIND_SENDS_ITSELF.rawValue), (.writtenFile, EPITOPE_KIND_WRITTEN_FILE.rawValue),
        (.impossibleReturn, EPITOPE_KIND_IMPOSSIBLE_RETURN.rawValue),
        (.uncheckedReturn, EPITOPE_KIND_UNCHECKED_RETURN.rawValue), (.packedProgram, EPITOPE_KIND_PACKED_PROGRAM.rawValue),
        (.deletedFile, EPITOPE_KIND_DELETED_FILE.rawValue),
    ]
}

extension epitope_rule {
    /// What is done about the calls of one application; nothing where it is off.
    fileprivate init(_ policy: Policy, _ application: BlockingApplication, _ level: ProtectionLevel, _ extraction: ExtractionMode) {
        self.init()
        guard policy.isOn(application) else { return }
        is_on = 1
        for (kind, bit) in epitope_policy.bits {
            let points = policy.weight(of: kind, for: application)
            guard points > 0 else { continue }
            if points >= policy.blockAt { act_on |= bit }
            if points >= policy.reportAt { report_on |= bit }
        }
        let uninspectable = EPITOPE_KIND_UNINSPECTABLE.rawValue
        report_on |= uninspectable
        if policy.uninspectable == .deny { act_on |= uninspectable }
        let action = policy.action(for: application)
        switch (action, level) {
        case (.watch, _): answer = EPITOPE_ANSWER_PASSED.rawValue
        case (.block, .hooks), (.block, .fmodRet): answer = EPITOPE_ANSWER_DENIED.rawValue
        // Stopped until the agent has read its parameters; then the agent kills it, or leaves it stopped.
        case (.block, .tracepoints), (.stop, _), (.kill, _): answer = EPITOPE_ANSWER_STOPPED.rawValue
        }
        let isKilled = action == .kill || (action == .block && level == .tracepoints)
        answer_without_agent = isKilled ? EPITOPE_ANSWER_KILLED.rawValue : answer
        if extraction == .cut, answer != EPITOPE_ANSWER_PASSED.rawValue {
            // Denied as before; it goes on once the agent has overwritten its code.
            answer = EPITOPE_ANSWER_STOPPED.rawValue
            cuts = 1
        }
    }
}
