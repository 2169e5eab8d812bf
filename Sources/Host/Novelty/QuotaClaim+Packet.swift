// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel

extension QuotaClaim {
    /// What a packet weighs, and who made it: a program is known by its executable, since a process is made in no time; and the
    /// same program of another user, or in another container, is another one.
    public init(_ packet: ExtractedPacket) {
        let process = packet.parameters.process
        let container = process.containerID ?? process.container?.name ?? ""
        let owner = [process.userID.map(String.init) ?? "", container]
        let program = owner + [process.executable?.path ?? process.name ?? ""]
        self.init(
            points: packet.evidence.map(\.kind.defaultWeight).max() ?? 0, program: Self.key(program), owner: Self.key(owner))
    }

    /// The start of a hash; the parts' lengths keep them apart.
    private static func key(_ parts: [String]) -> UInt64 {
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        return SHA256.hash(data: Array(text.utf8)).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
