// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import InputFiles
import ProcessInspection

/// Calls and reasons in words.
enum CallNames {
    /// `syscall (connect)`, `int 0x80 (number 4)`, `call rax`.
    static func text(of call: CallSite, _ architecture: Architecture) -> String {
        name(of: call, architecture).map { "\(call.text) (\($0))" } ?? call.text
    }

    /// The critical call by its number, or the number; `nil` if the code doesn't show one.
    static func name(of call: CallSite, _ architecture: Architecture) -> String? {
        guard let number = call.number else { return nil }
        if architecture == .arm64 { return "number \(number)" }
        let interface: SystemCallInterface = architecture == .x86_64 && call.text.hasPrefix("syscall") ? .x86_64 : .i386
        if interface == .i386, number == SystemCallInterface.socketcall { return "socketcall" }
        return interface.criticalCall(number: number)?.rawValue ?? "number \(number)"
    }

    /// How likely a call is meant, the likeliest first: critical calls, other system calls, calls of functions.
    static func rank(of call: CallSite, _ architecture: Architecture) -> Int {
        guard call.kind == .systemCall else { return 2 }
        return name(of: call, architecture).map { $0.hasPrefix("number ") } ?? true ? 1 : 0
    }

    /// Why a caller is proposed.
    static func text(of reason: ProposedCaller.Reason) -> String {
        switch reason {
        case .thread(let id): "where thread \(id) was"
        case .stack(let id, let place): "a return address on the stack of thread \(id), at 0x\(String(place, radix: 16))"
        case .code: "a call in the code"
        }
    }
}
