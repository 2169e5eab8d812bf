// SPDX-License-Identifier: Apache-2.0

/// Instructions of a filter with names for the places that they jump to.
struct FilterAssembly {
    /// A place that instructions jump to.
    enum Label: Hashable {
        case allow, notify, noSuchCall, ownArchitecture, otherArchitecture, subcall, traceRequest, secondArgument, thirdArgument,
            processControl, memoryMap, deviceControl, notPermitted
    }

    private enum Line {
        case plain(CallFilter.Instruction)
        case jump(code: UInt16, operand: UInt32, to: Label)
    }

    private var lines: [Line] = []
    private var places: [Label: Int] = [:]

    mutating func load(_ offset: UInt32) { lines.append(.plain(.init(code: CallFilter.Opcode.load, operand: offset))) }

    mutating func `return`(_ outcome: UInt32) { lines.append(.plain(.init(code: CallFilter.Opcode.return, operand: outcome))) }

    /// Jumps if the comparison with the operand holds; else goes on.
    mutating func jump(_ code: UInt16, _ operand: UInt32, to label: Label) { lines.append(.jump(code: code, operand: operand, to: label)) }

    /// Names the next instruction. A name may be used again: jumps lead to the nearest place behind them.
    mutating func place(_ label: Label) {
        places[label] = lines.count
        for (index, line) in lines.enumerated() {
            guard case .jump(let code, let operand, label) = line else { continue }
            // The programs are far shorter than a jump can reach (255 instructions): a test runs each of them.
            lines[index] = .plain(.init(code: code, ifTrue: UInt8(clamping: lines.count - index - 1), operand: operand))
        }
    }

    var instructions: [CallFilter.Instruction] {
        lines.map { line in
            switch line {
            case .plain(let instruction): instruction
            // A jump to nowhere: the call fails.
            case .jump: .init(code: CallFilter.Opcode.return, operand: CallFilter.Outcome.noSuchCall)
            }
        }
    }
}
