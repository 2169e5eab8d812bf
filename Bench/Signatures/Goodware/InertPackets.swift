import EpitopeModel
import SignatureMaking
import Signatures

/// Packets whose code is random bytes: nothing that could run, and nothing that any file holds.
enum InertPackets {
    static func sample(of code: [UInt8], caller: Int) -> Sample {
        Sample(
            code: ExtractedCode(base: 0x7f00_0000_0000, bytes: code, isWholeRegion: true),
            callersAddress: 0x7f00_0000_0000 + UInt64(caller), architecture: .x86_64,
            context: SignatureContext(transport: .tcp, ports: [8080], direction: .toService))
    }

    static func random(_ length: Int, _ random: inout SeededRandom) -> Sample {
        sample(of: random.bytes(length), caller: Int.random(in: 64...length - 64, using: &random))
    }
}

extension Sample {
    /// What a center starts from: the caller window.
    func callerWindow() throws -> Signature {
        Signature(tokens: [.init(bytes: try CallerWindow.extract(from: code, callersAddress: callersAddress))], context: context)
    }
}
