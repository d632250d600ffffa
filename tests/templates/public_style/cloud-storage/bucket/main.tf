resource "bucket" "${{ values.name | replace(r/-/g, "_") }}" {
  name  = "${{ values.name }}"
  tags  = { team = "${{ values.team }}", about = "${{ values.about }}" }
  {%- switch values.tier %}
  {%- case "archive" %}
  class = "COLD"
  lock  = ${{ values.years * 365 }} # days
  {%- default %}
  class = "HOT"
  keep  = ${{ values.versions }}
  {%- endswitch %}
  acl   = "${{ 'public-read' if values.isPublic else 'private' }}"
  arn   = "$${var.prefix}/*"
}
