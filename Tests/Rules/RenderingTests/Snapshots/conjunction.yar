rule Epitope_95f425c29df412e735c4b2bfbb73899c
{
    meta:
        description = "a \"sample\""
        date = "2023-11-14"
        expires = "2024-02-12"
        id = "95f425c29df412e735c4b2bfbb73899c"
        revision = 2
        origin = "site"
    strings:
        $t0 = { 0405060708 }
        $t1 = { 21222324 [1] 25 }
    condition:
        all of them
}
