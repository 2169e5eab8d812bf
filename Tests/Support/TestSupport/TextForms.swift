// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A text in the usual codings.
public enum TextForms {
    public static func all(of text: String) -> [[UInt8]] {
        let ascii = Array(text.utf8)
        let hex = ascii.map { String($0, radix: 16) }.joined()
        let escaped = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let quoted = ascii.map { "=" + String($0, radix: 16, uppercase: true) }.joined()
        let json = "{\"text\": \"" + text.replacingOccurrences(of: "\r\n", with: "\\r\\n") + "\"}"
        return [
            ascii, Array(Data(ascii).base64EncodedData()), Array(hex.utf8), Array(escaped.utf8), Array(quoted.utf8), Array(json.utf8),
            ascii.flatMap { [$0, 0] }, ascii.flatMap { [0, $0] }, ascii.flatMap { [$0, 0, 0, 0] }, ascii.flatMap { [0, 0, 0, $0] },
        ]
    }
}
