// SPDX-License-Identifier: Apache-2.0

/// A program of Windows with one section, and as little else as it may have.
enum WindowsFile {
    static let program: [UInt8] = {
        let header = Array("MZ".utf8) + zeros(58) + [64, 0, 0, 0]
        // Machine, one section, no optional header.
        let portable = Array("PE\0\0".utf8) + [0x64, 0x86, 1, 0] + zeros(12) + [0, 0, 2, 0]
        // 512 bytes from byte 512 on.
        let section = Array(".text\0\0\0".utf8) + zeros(8) + [0, 2, 0, 0, 0, 2, 0, 0] + zeros(16)
        let headers = header + portable + section
        return headers + zeros(512 - headers.count) + [UInt8](repeating: 0xcc, count: 512)
    }()

    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}
