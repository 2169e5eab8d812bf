// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Requests of further protocols: with text, with lengths and numbers, and with what looks like neither.
extension ProtocolHead {
    static let others = texts + directories + databases + sessions + datagrams

    private static let texts = [
        ProtocolHead(
            "FTP", .tcp, 21,
            "USER anonymous\r\nPASS guest@example.com\r\nSYST\r\nFEAT\r\nPWD\r\nTYPE I\r\nPASV\r\nCWD /pub/incoming/image"
                + "s\r\nSTOR "),
        ProtocolHead(
            "IMAP", .tcp, 143,
            "a001 CAPABILITY\r\na002 LOGIN \"reader@example.com\" \"********\"\r\na003 SELECT INBOX\r\na004 FETCH 1:* (FL"
                + "AGS BODY[HEADER.FIELDS (SUBJECT DATE FROM)])\r\na005 APPEND Drafts (\\Seen) {310}\r\n"),
        ProtocolHead(
            "RTSP", .tcp, 554,
            "DESCRIBE rtsp://camera.example.com:554/live/main RTSP/1.0\r\nCSeq: 2\r\nAccept: application/sdp\r\nUser-Agen"
                + "t: LibVLC/3.0.18 (LIVE555 Streaming Media v2016.11.28)\r\nSession: "),
        ProtocolHead(
            "Redis", .tcp, 6379,
            "*3\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$3\r\ndir\r\n*4\r\n$5\r\nSETEX\r\n$17\r\nsession:cart:2041\r\n$4\r\n3600"
                + "\r\n$310\r\n"),
        ProtocolHead(
            "WebSocket", .tcp, 8081,
            mixed:
                "GET /socket HTTP/1.1\r\nHost: chat.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket"
                + "-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n{82fe0136}"),
    ]

    private static let directories = [
        /// RFC 4511: a bind, and a search below a base with a filter and a list of attributes.
        ProtocolHead(
            "LDAP", .tcp, 389,
            mixed:
                "{302c02010160270201030416}cn=reader,dc=example,d{800a}0123456789{3082015c020102638201550411}dc=example,dc=co"
                + "m{0a01020a0103020100020100010100a316040b}objectClass{0407}person*{308201180402636e0402736e04046d61696c048201"
                + "00}"),
        /// RFC 4120: the start of an AS-REQ.
        ProtocolHead(
            "Kerberos", .tcp, 88,
            mixed:
                "{0000010c6a82010830820104a103020105a20302010aa35f305d3048a103020102a241043f303da003020117a2360434}"),
        /// RFC 1157: a GetRequest of `public`.
        ProtocolHead(
            "SNMP", .udp, 161,
            mixed:
                "{3082013a0201010406}public{a082012b02046b8b45670201000201003082011b300c06082b060102010101000500300c06082b060"
                + "102010103000500}"),
        /// RFC 5531 and 1813: a LOOKUP of NFS version 3.
        ProtocolHead(
            "NFS", .tcp, 2049,
            mixed:
                "{800001505f1d3a200000000000000002000186a30000000300000003000000010000003c00bc614e00000009}localhost\0\0\0{00"
                + "0003e8000003e80000000500000004000000180000001b0000001e0000000000000000}"),
        /// [MS-RPCE] 2.2.2.13: a bind, as over SMB.
        ProtocolHead(
            "DCE/RPC", .tcp, 135,
            mixed:
                "{05000b03100000004801000002000000d016d016000000000100000000000100c84f324b7016d30112785a47bf6ee18803000000045"
                + "d888aeb1cc9119fe808002b10486002000000050000031000000038010000020000002001000000001f00}"),
    ]

    private static let databases = [
        ProtocolHead(
            "PostgreSQL", .tcp, 5432,
            mixed:
                "{0000005100030000}user\0shop\0database\0orders\0application_name\0psql\0client_encoding\0UTF8\0\0{500000014a"
                + "00}INSERT INTO items (name, image) VALUES ($1, $2)\0{00020000001900000011}"),
        ProtocolHead(
            "MySQL", .tcp, 3306,
            mixed:
                "{b60000018da6ff1900000001 2d00000000000000000000000000000000000000000000}shop\0{00}orders\0caching_sha2_password\0{3401000003}"
                + "INSERT INTO items VALUES "),
        /// [MS-TDS] 2.2.6.7: SQL text in UTF-16.
        ProtocolHead(
            "TDS", .tcp, 1433,
            mixed:
                "{010101580000010016000000120000000200000000000000000001000000530045004c0045004300540020006e0061006d006500200"
                + "0460052004f004d0020006900740065006d0073002000570048004500520045002000690064003d00}"),
        /// A document of BSON with lengths and types.
        ProtocolHead(
            "MongoDB", .tcp, 27017,
            mixed:
                "{600100000700000000000000dd07000000000000004b01000002}insert\0{06000000}items\0{04}documents\0{1e01000003300"
                + "01601000005}image\0{0001000000}"),
        ProtocolHead(
            "Kafka", .tcp, 9092,
            mixed:
                "{0000015000000007000000050008}producer{ffff000100007530000000010006}orders{000000010000000000000118000000000"
                + "00000000000010cffffffff02a1b2c3d4000000000000}"),
    ]

    private static let sessions = [
        /// MQTT 3.1.1: a connection and a publication.
        ProtocolHead(
            "MQTT", .tcp, 1883,
            mixed:
                "{10280004}MQTT{04c2003c0009}sensor-17{0005}guest{0005}guest{30a8020016}home/kitchen/thermostat"),
        /// [MS-RDPBCGR] 2.2.1.1 and 2.2.1.3: a connection request, and the client's data of MCS.
        ProtocolHead(
            "RDP", .tcp, 3389,
            mixed:
                "{0300002c27e00000000000}Cookie: mstshash=reader\r\n{01000800030000000300019c02f0807f658201900401010401010101"
                + "ff30190201220201020201000201010201000201010202ffff0201023019020101020101020101020101020100020101020204200201"
                + "02301c0202ffff0202fc170202ffff0201010201000201010202ffff020102}"),
        /// RFC 4253, section 7.1: the lists of a client's key exchange.
        ProtocolHead(
            "SSH", .tcp, 22,
            mixed:
                "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n{000005dc041400112233445566778899aabbccddeeff00000057}sntrup761x25"
                + "519-sha512@openssh.com,curve25519-sha256,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"),
        /// RFC 9113: the preface, settings, and the first fields of a request, compressed.
        ProtocolHead(
            "HTTP/2", .tcp, 8443,
            mixed:
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{0000120400000000000003000000640004001000000002000000000000040800000000003ef"
                + "f000100002e01040000000183048860d5485f2bce9a6887418aa0e41d139d09b8f01e077a8825b650c3abb8f2e053032a2f2a0001500"
                + "00100000001}"),
        /// AMQP 0-9-1: a publication.
        ProtocolHead(
            "AMQP", .tcp, 5672,
            mixed:
                "AMQP{0000090101000100000013003c0028000006}orders{03}new{00ce0200010000000f003c000000000000000001188000ce0300"
                + "0100000118}"),
        /// RFC 2355: options of telnet, and what stands on a mainframe's screen, in EBCDIC.
        ProtocolHead(
            "TN3270", .tcp, 992,
            mixed:
                "{fffd28fffb28fffa28080249424d2d333237382d322d45fff07d5d7f114bf0d7d3c5c1e2c540c5d5e3c5d940e8d6e4d940e4e2c5d9"
                + "40d5c1d4c540c1d5c440d7c1e2e2e6d6d9c46b40a388859540979985a2a240c5d5e3c5d9}"),
        /// X11's setup, and a request to put an image.
        ProtocolHead(
            "X11", .tcp, 6000,
            mixed:
                "{6c000b000000120010000000}MIT-MAGIC-COOKIE-1\0\0{3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c48024e000200e0040300e004100"
                + "010000000000000180000}"),
        /// Modbus: writing registers.
        ProtocolHead(
            "Modbus", .tcp, 502,
            mixed:
                "{0001000000fb01100000007af4000000010000000200000003}"),
        /// RFC 4271: an update with its path's attributes.
        ProtocolHead(
            "BGP", .tcp, 179,
            mixed:
                "{ffffffffffffffffffffffffffffffff015002000001374001010040020602010000fde8400304c000020180040400000000d0ff011"
                + "8}"),
        /// RFC 7143: a login of iSCSI.
        ProtocolHead(
            "iSCSI", .tcp, 3260,
            mixed:
                "{438700000000014c00023d00000000000000000100000000000000010000000100000000000000000000000000000000}InitiatorN"
                + "ame=iqn.1993-08.org.debian:01:5d3a\0SessionType=Normal\0HeaderDigest=None\0"),
    ]

    private static let datagrams = [
        /// RFC 2131: a client's discovery.
        ProtocolHead(
            "DHCP", .udp, 67,
            mixed:
                "{010106003903f3260000800000000000000000000000000000000000000b8201fc42638253633501013d0701000b8201fc423204000"
                + "0000037040103062a2bff}"),
        /// RFC 5389: a binding request with its attributes.
        ProtocolHead(
            "STUN", .udp, 3478,
            mixed:
                "{000101482112a442b7e7a701bc34d686fa87dfae80220010}STUN test client{002400046e0001ff00130110}"),
        /// RFC 7296: the start of a key exchange.
        ProtocolHead(
            "IKE", .udp, 500,
            mixed:
                "{c0c1c2c3c4c5c6c70000000000000000212022080000000000000150220000300000002c010100040300000c0100000c800e0100030"
                + "0000802000005030000080300000c000000080400000e28000108000e0000}"),
        /// RFC 9000: a long header of an initial packet.
        ProtocolHead(
            "QUIC", .udp, 443,
            mixed:
                "{c000000001088394c8f03e5157080563736f6e6e00449e00000002}"),
        /// RFC 3550 and 2833: a stream of sound.
        ProtocolHead(
            "RTP", .udp, 5004,
            mixed:
                "{80006d2a0003a9805f1e2d3cd5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5}"),
        /// RFC 2865: a request for access.
        ProtocolHead(
            "RADIUS", .udp, 1812,
            mixed:
                "{011701500f403f9473978057bd83d5cb98f4227a0108}reader{0406c0a801100506000000143d060000000f1afd00000009}"),
        /// RFC 7252: a confirmable PUT.
        ProtocolHead(
            "CoAP", .udp, 5683,
            mixed:
                "{44037d34a1b2c3d43b}gateway.lan{87}sensors{04}temp{112aff}"),
        /// RFC 5905: a client's request with an extension.
        ProtocolHead(
            "NTP", .udp, 123,
            mixed:
                "{230006ec000000000000000000000000000000000000000000000000000000000000000000000000dbd1e2f34000000001040118}"),
    ]
}
