// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Novelty
import PacketCoding
import Signatures

extension ExtractedPacket {
    /// How many bytes of code it carries; `nil`: its signature.
    var codeBytes: Int? {
        guard case .code(let code) = content else { return nil }
        return code.bytes.count
    }

    /// The packet in a smaller form.
    ///
    /// - Parameter signatureBytes: the size of the signature.
    func reduced(to form: LinkBudget.Form, signatureBytes: Int) -> ExtractedPacket {
        guard case .code(let code) = content, let caller = code.offset(of: callersAddress) else { return self }
        var packet = self
        switch form {
        case .asItIs: break
        case .snippet(let side):
            let start = max(0, caller - side), end = min(code.bytes.count, caller + side)
            packet.content = .code(
                ExtractedCode(
                    base: code.base + UInt64(start), bytes: Array(code.bytes[start..<end]),
                    isWholeRegion: code.isWholeRegion && start == 0 && end == code.bytes.count))
        case .signature:
            // The caller's address lies in the code, or no packet would have been made.
            if let window = try? CallerWindow.extract(from: code, callersAddress: callersAddress, length: signatureBytes) {
                packet.content = .signature(window)
            }
        }
        return packet
    }
}
