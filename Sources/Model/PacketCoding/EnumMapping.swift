// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// A one-to-one table between an enum of the model and its wire form. Both directions come from the same list.
private func modelValue<M, W: Equatable>(_ wire: W, _ pairs: [(M, W)]) -> M? {
    pairs.first { $0.1 == wire }?.0
}

extension Architecture {
    init?(_ wire: Epitope_V1_Architecture) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_Architecture {
        switch self {
        case .x86_32: .x8632
        case .x86_64: .x8664
        case .arm64: .arm64
        }
    }
}

extension EvidenceKind {
    init?(_ wire: Epitope_V1_EvidenceKind) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_EvidenceKind {
        switch self {
        case .directCall: .directCall
        case .libraryCall: .libraryCall
        case .sendsItself: .sendsItself
        case .writtenImagePage: .writtenImagePage
        case .memoryFile: .memoryFile
        case .deeperInStack: .deeperInStack
        case .unattributable: .unattributable
        case .writtenFile: .writtenFile
        case .impossibleReturn: .impossibleReturn
        case .uncheckedReturn: .uncheckedReturn
        case .packedProgram: .packedProgram
        case .deletedFile: .deletedFile
        }
    }

    /// Whether readers of the first version don't know it, and would refuse a packet that has it among the others.
    var isFurther: Bool { self == .deletedFile }
}

extension BlockingApplication {
    init?(_ wire: Epitope_V1_Application) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_Application {
        switch self {
        case .exec: .exec
        case .connect: .connect
        case .send: .send
        case .listen: .listen
        }
    }
}

extension ProtectiveAction {
    init?(_ wire: Epitope_V1_ProtectiveAction) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_ProtectiveAction {
        switch self {
        case .watched: .watched
        case .blocked: .blocked
        case .stopped: .stopped
        case .killed: .killed
        }
    }
}

extension CriticalCall {
    init?(_ wire: Epitope_V1_CriticalCall) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_CriticalCall {
        switch self {
        case .execve: .execve
        case .execveat: .execveat
        case .connect: .connect
        case .sendto: .sendto
        case .sendmsg: .sendmsg
        case .sendmmsg: .sendmmsg
        case .bind: .bind
        case .listen: .listen
        case .accept: .accept
        case .accept4: .accept4
        case .write: .write
        case .writev: .writev
        case .sendfile: .sendfile
        case .splice: .splice
        case .ioUringEnter: .ioUringEnter
        case .ptrace: .ptrace
        case .processVMWritev: .processVmWritev
        case .pidfdGetfd: .pidfdGetfd
        case .openMemory: .openMemory
        }
    }
}

extension TransportProtocol {
    init?(_ wire: Epitope_V1_TransportProtocol) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_TransportProtocol {
        switch self {
        case .tcp: .tcp
        case .udp: .udp
        case .other: .other
        }
    }

    /// Reads a field that may be left open.
    static func optional(_ wire: Epitope_V1_TransportProtocol, _ field: String) throws(EpitopeError) -> TransportProtocol? {
        wire == .unspecified ? nil : try Wire.known(TransportProtocol(wire), field)
    }
}

extension SignatureContext.Direction {
    init?(_ wire: Epitope_V1_Direction) {
        switch wire {
        case .toService: self = .toService
        case .fromPeer: self = .fromPeer
        case .any: self = .any
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    var wire: Epitope_V1_Direction {
        switch self {
        case .toService: .toService
        case .fromPeer: .fromPeer
        case .any: .any
        }
    }
}

extension ProtocolBuffer {
    /// `nil` for the traffic as it is. A buffer of a later version is malformed: elsewhere the signature may match what it
    /// is not about.
    static func optional(_ wire: Epitope_V1_ProtocolBuffer, _ field: String) throws(EpitopeError) -> ProtocolBuffer? {
        if wire == .unspecified { return nil }
        return try Wire.known(modelValue(wire, allCases.map { ($0, $0.wire) }), field)
    }

    var wire: Epitope_V1_ProtocolBuffer {
        switch self {
        case .httpURI: .httpUri
        case .httpRequestBody: .httpRequestBody
        case .httpFormBody: .httpFormBody
        case .httpResponseBody: .httpResponseBody
        case .dnsQuery: .dnsQuery
        }
    }
}

extension Signature.Arrangement {
    /// A signature that says nothing is a sequence.
    init?(_ wire: Epitope_V1_Arrangement) {
        switch wire {
        case .unspecified, .sequence: self = .sequence
        case .conjunction: self = .conjunction
        case .UNRECOGNIZED: return nil
        }
    }

    var wire: Epitope_V1_Arrangement {
        switch self {
        case .sequence: .sequence
        case .conjunction: .conjunction
        }
    }
}

extension EvidenceGrade {
    init?(_ wire: Epitope_V1_EvidenceGrade) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_EvidenceGrade {
        switch self {
        case .reported: .reported
        case .corroborated: .corroborated
        case .confirmed: .confirmed
        }
    }
}

extension Provenance.Strategy {
    init?(_ wire: Epitope_V1_Strategy) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_Strategy {
        switch self {
        case .callerWindow: .callerWindow
        case .maskedWindow: .maskedWindow
        case .rareWindow: .rareWindow
        case .tokenSequence: .tokenSequence
        case .conjunction: .conjunction
        }
    }
}

extension Proof.Check.Outcome {
    init?(_ wire: Epitope_V1_Proof.Outcome) {
        guard let value = modelValue(wire, Self.allCases.map { ($0, $0.wire) }) else { return nil }
        self = value
    }

    var wire: Epitope_V1_Proof.Outcome {
        switch self {
        case .passed: .passed
        case .failed: .failed
        case .notChecked: .notChecked
        }
    }
}
