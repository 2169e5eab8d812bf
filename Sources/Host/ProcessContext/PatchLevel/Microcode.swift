// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// The revision of the first processor's microcode. The kernel brings all processors to the same.
enum Microcode {
    /// The first processor's part of `/proc/cpuinfo` is shorter than this, in bytes.
    private static let maxBytes = 4096

    /// Such as `0xf4`; `nil` where neither file says: other architectures, and many virtual machines.
    ///
    /// - Parameters:
    ///   - proc: the process table's folder.
    ///   - sys: the folder of sysfs.
    static func revision(proc: String, sys: String) -> String? {
        if let text = ProcFS.text(sys + "/devices/system/cpu/cpu0/microcode/version", maxBytes: 64), let revision = number(text) {
            return revision
        }
        guard let text = ProcFS.text(proc + "/cpuinfo", maxBytes: maxBytes) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("microcode") {
            return line.split(separator: ":", maxSplits: 1).last.flatMap { number(String($0)) }
        }
        return nil
    }

    /// Hexadecimal, as both files have it.
    private static func number(_ text: String) -> String? {
        let digits = text.filter { !$0.isWhitespace }
        guard digits.hasPrefix("0x"), let number = UInt64(digits.dropFirst(2), radix: 16) else { return nil }
        return "0x" + String(number, radix: 16)
    }
}
