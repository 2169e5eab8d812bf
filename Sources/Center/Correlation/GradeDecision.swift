// SPDX-License-Identifier: Apache-2.0

public import Signatures

extension EvidenceGrade {
    /// The reporters from whose number on evidence is confirmed.
    public static let reportersOfConfirmed = 5

    /// - Parameters:
    ///   - reporters: who reported the attack, independently of each other: several identities of one machine are one.
    ///   - isOnTheWire: whether captures of the site (not of the host) show that the code crossed the network.
    public init(reporters: Int, isOnTheWire: Bool) {
        self =
            if reporters >= Self.reportersOfConfirmed { .confirmed } else if reporters > 1 || isOnTheWire { .corroborated } else {
                .reported
            }
    }
}
