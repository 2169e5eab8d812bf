// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Novelty
public import PacketCoding
import Signatures

extension ExtractedPacket {
    /// How many bytes of code it carries; `nil`: its signature.
    var codeBytes: Int? {
        guard case .code(let code) = content else { return nil }
        return code.bytes.count
    }

    /// The packet in a smaller form. Its signature is the window that the host chose for that, or else the caller window; nothing is left of
    /// it for the center to extract.
    ///
    /// - Parameter signatureBytes: the size of the signature.
    func reduced(to form: LinkBudget.Form, signatureBytes: Int) -> ExtractedPacket {
        guard case .code(let code) = content, code.offset(of: callersAddress) != nil else { return self }
        var packet = self
        switch form {
        case .asItIs: break
        case .snippet(let side):
            guard let snippet = code.snippet(around: callersAddress, side: side) else { break }
            packet.content = .code(snippet)
            packet.signatureAddress = signatureAddress.flatMap { snippet.offset(of: $0) == nil ? nil : $0 }
        case .signature:
            packet.extraction = nil
            if let first = signatureAddress.flatMap(code.offset), first + signatureBytes <= code.bytes.count {
                packet.content = .signature(Array(code.bytes[first..<first + signatureBytes]))
                break
            }
            packet.signatureAddress = nil
            // The caller's address lies in the code, or no packet would have been made.
            if let window = try? CallerWindow.extract(from: code, callersAddress: callersAddress, length: signatureBytes) {
                packet.content = .signature(window)
            }
        }
        return packet
    }
}

extension HostStore {
    /// What goes of a packet that can't be stored, and so not be counted against the link's budget: where there is one, the signature alone.
    public func unstoredForm(of packet: ExtractedPacket) -> EncodedPacket {
        EncodedPacket(settings.link.isUnlimited ? packet : packet.reduced(to: .signature, signatureBytes: settings.signatureBytes))
    }
}
