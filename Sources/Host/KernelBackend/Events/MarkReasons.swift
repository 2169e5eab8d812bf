// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel

extension MarkReason {
    /// The reasons that bits of `epitope_reason` stand for.
    static func reasons(of bits: UInt32) -> [MarkReason] {
        allCases.filter { bits >> $0.inKernel.rawValue & 1 != 0 }
    }

    var inKernel: epitope_reason {
        switch self {
        case .mapped: EPITOPE_REASON_MAPPED
        case .protected: EPITOPE_REASON_PROTECTED
        case .attached: EPITOPE_REASON_ATTACHED
        case .personality: EPITOPE_REASON_PERSONALITY
        case .inherited: EPITOPE_REASON_INHERITED
        case .executableStack: EPITOPE_REASON_EXECUTABLE_STACK
        case .found: EPITOPE_REASON_FOUND
        case .writtenByOther: EPITOPE_REASON_WRITTEN_BY_OTHER
        case .writtenBySelf: EPITOPE_REASON_WRITTEN_BY_SELF
        case .program: EPITOPE_REASON_PROGRAM
        case .executed: EPITOPE_REASON_EXECUTED
        case .replaced: EPITOPE_REASON_REPLACED
        case .noRoom: EPITOPE_REASON_NO_ROOM
        }
    }
}
