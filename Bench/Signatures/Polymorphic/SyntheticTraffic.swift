// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import TestSupport

/// Generated streams in the shape of HTTP, DNS and binary traffic, for runs without captures. They vary less than real
/// traffic does, so figures on them are marked.
enum SyntheticTraffic {
    static func streams(_ count: Int, seed: UInt64) -> [BenignStream] {
        var random = SeededGenerator(seed: seed, "synthetic traffic")
        return (0..<count).map { index in
            switch index % 4 {
            case 0: BenignStream(kind: .http, transport: .tcp, serverPort: 80, isToServer: true, bytes: request(&random))
            case 1: BenignStream(kind: .http, transport: .tcp, serverPort: 80, isToServer: false, bytes: response(&random))
            case 2: BenignStream(kind: .dns, transport: .udp, serverPort: 53, isToServer: true, bytes: query(&random))
            default: BenignStream(kind: .binary, transport: .tcp, serverPort: 6379, isToServer: true, bytes: binary(&random))
            }
        }
    }

    private static let words = [
        "index", "about", "image", "style", "search", "account", "data", "report", "api", "list", "news", "mail", "static", "user",
    ]
    private static let agents = ["curl/7.88.1", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0", "Wget/1.21.3"]

    private static func path(_ random: inout SeededGenerator) -> String {
        (0..<Int.random(in: 1...4, using: &random)).map { _ in "/" + (words.randomElement(using: &random) ?? "") }.joined()
            + [".html", ".png", ".css", "", "?id=\(Int.random(in: 1...9999, using: &random))"].randomElement(using: &random)!
    }

    private static func request(_ random: inout SeededGenerator) -> [UInt8] {
        let method = ["GET", "GET", "GET", "POST"].randomElement(using: &random) ?? "GET"
        var text = "\(method) \(path(&random)) HTTP/1.1\r\nHost: \(words.randomElement(using: &random) ?? "").example\r\n"
        text += "User-Agent: \(agents.randomElement(using: &random) ?? "")\r\nAccept: */*\r\n"
        if Bool.random(using: &random) { text += "Referer: http://www.example\(path(&random))\r\n" }
        return Array((text + "\r\n").utf8) + (method == "POST" ? random.bytes(20...400) : [])
    }

    private static func response(_ random: inout SeededGenerator) -> [UInt8] {
        let body =
            Bool.random(using: &random)
            ? random.bytes(200...4000)
            : Array((0..<200).map { _ in words.randomElement(using: &random) ?? "" }.joined(separator: " ").utf8)
        let head = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: \(body.count)\r\nContent-Type: text/html\r\n\r\n"
        return Array(head.utf8) + body
    }

    private static func query(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = random.bytes(2) + [1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1]
        for _ in 0..<Int.random(in: 2...4, using: &random) {
            let word = words.randomElement(using: &random) ?? ""
            bytes += [UInt8(word.utf8.count)] + Array(word.utf8)
        }
        return bytes + [0, 0, 1, 0, 1, 0, 0, 0x29, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]
    }

    private static func binary(_ random: inout SeededGenerator) -> [UInt8] {
        let value = random.bytes(100...8000)
        return Array("*3\r\n$3\r\nSET\r\n$8\r\nkey:0001\r\n$\(value.count)\r\n".utf8) + value + [13, 10]
    }
}
