// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PacketCoding

/// A packet that goes nowhere, made before the first one comes. What is done for the first time takes longest: Swift looks up how
/// types conform to protocols when they are first used so, in all that is linked into the program.
enum Rehearsal {
    /// Does what is done for each packet, but for storing and sending it.
    static func run() {
        guard let packet = packet() else { return }
        _ = EncodedPacket(packet)
        _ = try? EventLog.line(HostEvent(packet: packet.id, of: detection, process: detection.process, time: EventLog.now()))
    }

    /// `nil` never, unless packets of such a detection are refused.
    static func packet() -> ExtractedPacket? {
        try? ExtractedPacket(
            detection, process: detection.process, system: SystemParameters(hostName: nil, hostID: nil))
    }

    private static let detection = Detection(
        architecture: .x86_64, callersAddress: 0x1040,
        region: MemoryRegion(start: 0x1000, end: 0x2000, protection: [.read, .execute], backing: .anonymous), call: .connect,
        arguments: CallArguments(), evidence: [], code: ExtractedCode(base: 0x1000, bytes: [UInt8](0..<128), isWholeRegion: true),
        action: .watched, process: ProcessParameters(processID: 0, threadID: 0), timeMilliseconds: 0)
}
