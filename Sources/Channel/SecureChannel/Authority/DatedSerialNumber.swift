// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import X509

/// The serial number of a certificate: 16 bytes, six of which say when it was issued, to the millisecond.
///
/// A certificate's time begins an hour before it was issued, for clocks that are slow
/// (``CertificateAuthority/backdatedSeconds``). A revocation covers what was issued before it, so the moment of issue must be
/// told apart from that beginning: else who enrols again within an hour of a revocation would be refused. Where the clock has gone
/// back behind a certificate that was revoked, the next one's number says a later moment than its dates
/// (``CertificateOrder/serialMilliseconds``).
enum DatedSerialNumber {
    private static let count = 16
    /// How far the two may differ from ``CertificateAuthority/backdatedSeconds``: certificates count whole seconds.
    private static let roundingMilliseconds: Int64 = 1000

    /// The time, and 78 random bits. The first bit is clear and the second set, so that it is one positive number of that
    /// length (RFC 5280, 4.1.2.2).
    static func make(issuedMilliseconds: Int64) -> Certificate.SerialNumber {
        var bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max) }
        bytes[0] = bytes[0] & 0x3f | 0x40
        for place in 0..<6 { bytes[1 + place] = UInt8(truncatingIfNeeded: issuedMilliseconds >> Int64(40 - 8 * place)) }
        return Certificate.SerialNumber(bytes: bytes)
    }

    /// When a certificate was issued: by its serial number, if that is not before its dates; else (one of an earlier version, which
    /// was not dated back) when its time begins.
    static func issuedMilliseconds(of certificate: Certificate) -> Int64 {
        let begins = certificate.notValidBefore.milliseconds
        let bytes = Array(certificate.serialNumber.bytes)
        guard bytes.count == count else { return begins }
        let issued = bytes[1...6].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        let difference = issued - begins - CertificateAuthority.backdatedSeconds * 1000
        return difference >= -roundingMilliseconds ? issued : begins
    }
}
